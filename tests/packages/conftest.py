"""They take a minute of a processor, and hardly ever fail because of what a commit changes: a target of their own."""

import os
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("UPKEEPER_PACKAGES") == "1":
        return
    for item in items:
        if _HERE in item.path.parents and "heavy" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="`make package-test` runs it (UPKEEPER_PACKAGES=1)"))
