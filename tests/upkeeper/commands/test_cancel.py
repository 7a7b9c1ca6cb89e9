"""``cancel`` against a running remediator."""

import asyncio
import json

import pytest

from tests.helpers import wait_until
from tests.upkeeper.conftest import Remote

pytestmark = pytest.mark.slow


async def acting(remote: Remote) -> asyncio.Event:
    """A run in the middle of its first action, which ends when this is set."""
    stuck = remote.stack.task.stuck = asyncio.Event()
    remote.stack.clutter(2)
    await remote.stack.core.start_run("sweep", "attic")
    await wait_until(lambda: remote.stack.task.applied, equals=["f0"])
    return stuck


async def test_it_waits_for_the_action_under_way_and_says_what_was_done(remote: Remote) -> None:
    stuck = await acting(remote)
    waiting = asyncio.create_task(remote.upkeeper("cancel", "1", "--reason", "moving"))

    async def noted() -> bool:
        return (await remote.stack.core.run(1))["cancelled"] is not None

    await wait_until(noted, what="the run to be cancelled")
    stuck.set()
    done = await waiting
    assert done.status == 0
    assert "run 1: sweep on attic: cancelled, cancelled by " in done.out
    assert ": moving; 1 of 2 actions had been done; now 1 files" in done.out
    again = await remote.upkeeper("cancel", "1")
    assert (again.status, again.err) == (3, "error: run 1 has ended: upkeeper show 1\n")


async def test_it_need_not_wait(remote: Remote) -> None:
    stuck = await acting(remote)
    done = await remote.upkeeper("cancel", "1", "--no-wait", "--json")
    assert (done.status, json.loads(done.out)["state"]) == (0, "applying")
    assert "run 1: sweep on attic: applying, cancelled by " in (await remote.upkeeper("show", "1")).out
    stuck.set()
    await remote.stack.finished()


async def test_completed_to_what_has_not_ended(remote: Remote) -> None:
    stuck = await acting(remote)
    asked = {"_UPKEEPER_COMPLETE": "bash_complete", "COMP_WORDS": "upkeeper cancel ", "COMP_CWORD": "2"}
    from upkeeper.quick.words import unfinished

    found = unfinished(remote.stack.core.state.root, {**asked, **remote.env})
    assert [(word.value, word.help) for word in found] == [("1", "sweep on attic: applying")]
    stuck.set()
    await remote.stack.finished()
    assert unfinished(remote.stack.core.state.root, remote.env) == []
