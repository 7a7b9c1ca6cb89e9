"""A disk that fills up in the middle of a run: the run goes on when there is room."""

import asyncio
from pathlib import Path

import pytest

from remediator.control.core import Core
from remediator.model.shapes.runs import RunView
from remediator.statedir import StateDir
from tests.filesystems import mounted
from tests.helpers import wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Clock, Stack, alert, settings
from tests.remediator.sweep import Sweep
from tests.smalldisk import fill

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
async def test_a_run_that_a_full_disk_broke_off_is_gone_on_with(tmp_path: Path, kind: str) -> None:
    attic = tmp_path / "attic"
    attic.mkdir()
    said: list[str] = []
    with mounted(tmp_path / "disk", kind, 24 * 1024 * 1024) as disk:
        state = StateDir(disk / "state")
        state.ensure()
        task = Sweep(attic)
        core = Core(state, settings(task, [REMEDY]), clock=Clock(START), on_room=said.append)
        stack = Stack(core, Clock(START), task, attic, [REMEDY])
        await core.open()
        await core.start_engine()
        again = asyncio.create_task(core.queue.queue_again())
        try:
            stack.clutter()
            task.stuck = asyncio.Event()
            await stack.receive(alert())
            await wait_until(lambda: task.applied, what="the first action")
            made = fill(disk)
            task.stuck.set()
            await wait_until(lambda: any(said), what="the store to say that there is no room")
            assert (await core.run(1))["state"] == "applying"
            for path in made:
                path.unlink()

            async def finished() -> RunView | None:
                run = await core.run(1)
                return run if run["state"] == "finished" else None

            run = await wait_until(finished, timeout=60, what="the run to end")
            assert (run["outcome"], list(attic.iterdir())) == ("effective", [])
            assert [action["state"] for action in run["actions"]] == ["skipped", "done", "done"]
        finally:
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)
            await core.close()
