"""By turns: outside the long form a test of the shared store runs on one of the two versions of PostgreSQL.

Each version sees half of the tests, the same half each time. SQLite sees all of them.
"""

import zlib

import pytest

from tests.helpers import long_form

VERSIONS = ("postgresql-15", "postgresql-18")
FOLDERS = ("tests/remediator/store/", "tests/remediator/runs/")


def has_its_turn(nodeid: str) -> bool:
    """Whether the test is tried on the version that its id names, if it names one."""
    version = next((version for version in VERSIONS if version in nodeid), None)
    if version is None or not nodeid.startswith(FOLDERS):
        return True
    return VERSIONS[zlib.crc32(nodeid.replace(version, "").encode()) % len(VERSIONS)] == version


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if long_form():
        return
    left_out = [item for item in items if not has_its_turn(item.nodeid)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if has_its_turn(item.nodeid)]
