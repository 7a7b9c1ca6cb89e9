"""What the keeper of the ballast records."""

import asyncio
from dataclasses import replace

import pytest

from remediator.control.ballast import changes
from remediator.store.ballast import Standing
from tests.remediator.stack import Stack

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


@pytest.mark.parametrize("steps", range(4))
async def test_it_ends_when_it_is_told_to_in_the_moment_it_is_woken(stack: Stack, steps: int) -> None:
    """A run had just ended when the remediator was told to stop: it waited for this for ever (`asyncio.wait_for`)."""
    keeper = stack.core.ballast
    laid = asyncio.Event()
    lay = keeper._lay

    async def told() -> bool:
        whole = await lay()
        laid.set()
        return whole

    keeper._lay = told  # type: ignore[method-assign]
    keeping = asyncio.create_task(keeper.keep())
    await laid.wait()
    for _ in range(5):  # by then it waits
        await asyncio.sleep(0)
    keeper.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.wait({keeping}, timeout=20)
    assert keeping.cancelled()
