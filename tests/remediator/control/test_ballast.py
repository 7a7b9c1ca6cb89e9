"""What the keeper of the ballast records."""

from dataclasses import replace

import pytest

from remediator.control.ballast import changes
from remediator.store.ballast import Standing

WHOLE = Standing(100, 4, 100, 4)
HALF = replace(WHOLE, bytes=50)
NO_FILES = replace(WHOLE, inodes=0)


@pytest.mark.parametrize(
    ("recorded", "before", "now", "expected"),
    [
        (WHOLE, WHOLE, WHOLE, []),
        (HALF, HALF, WHOLE, ["ballast.laid"]),
        (WHOLE, HALF, HALF, ["ballast.released"]),
        (WHOLE, HALF, WHOLE, ["ballast.released", "ballast.laid"]),
        (WHOLE, NO_FILES, WHOLE, ["ballast.released", "ballast.laid"]),
        (HALF, HALF, HALF, []),
    ],
)
def test_what_the_audit_is_to_know(recorded: Standing, before: Standing, now: Standing, expected: list[str]) -> None:
    entries = list(changes(recorded, before, now, 5.0))
    assert [entry.kind for entry in entries] == expected
    assert all(entry.at == 5.0 and entry.body["wanted_bytes"] == 100 for entry in entries)
