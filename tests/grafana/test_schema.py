"""Grafana's own types for dashboards (PyPI grafana-foundation-sdk, made of its schema) take all of each of ours.

It is no dependency of the tests: `.ci/run` makes a folder of it, which UPKEEPER_GRAFANA_TYPES names.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.dashboards import DASHBOARDS, load

NAMED = os.environ.get("UPKEEPER_GRAFANA_TYPES")
if NAMED:
    sys.path.append(NAMED)
HAS = NAMED or importlib.util.find_spec("grafana_foundation_sdk") is not None
OF_PLUGINS = {
    ".templating.list[].definition",
    ".annotations.list[].step",
    ".annotations.list[].titleFormat",
    ".panels[].maxPerRow",
}
"""What Grafana and its Prometheus plugin read, and the schema does not have."""


def lost(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """What is no longer there, or is another."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            if name in after:
                yield from lost(value, after[name], f"{where}.{name}")
            elif value not in (None, [], {}):
                yield f"{where}.{name}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from lost(one, other, f"{where}[]")
    elif before != after:
        yield f"{where} is {after!r}"


@pytest.mark.skipif(not HAS, reason="no grafana-foundation-sdk beside the tests")
@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_grafanas_own_types_take_all_of_it(path: Path) -> None:
    encoder = importlib.import_module("grafana_foundation_sdk.cog.encoder")
    types = importlib.import_module("grafana_foundation_sdk.models.dashboard")
    importlib.import_module("grafana_foundation_sdk.cog.plugins").register_default_plugins()
    dashboard = load(path)
    again = json.loads(encoder.JSONEncoder().encode(types.Dashboard.from_json(dashboard)))
    assert set(lost(dashboard, again)) <= OF_PLUGINS
