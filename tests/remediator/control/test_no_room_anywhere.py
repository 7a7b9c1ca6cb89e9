"""No room for one single write, each in its turn, over the whole way of an alert, from the webhook to its run's end."""

import asyncio
import shutil
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from remediator.control.core import Core
from remediator.model.errors import NoRoom
from remediator.model.shapes.runs import RunView
from remediator.statedir import StateDir
from tests.faultdisk import Faults, fault_disk
from tests.helpers import rounds, wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Clock, alert, notification, settings
from tests.remediator.sweep import Sweep

pytestmark = [pytest.mark.slow, pytest.mark.torture]

MIB = 1024 * 1024
FAILING = rounds("NO_ROOM_WRITES", 7, 10_000)
"""So many writes fail, each in a try of its own, spread over all; at most each of them once."""


async def whole_way(directory: Path, migrated: Path, faults: Faults, fails: int) -> int:
    """One alert from its webhook to the end of its run, of which one change fails. How many changes there were."""
    attic = directory.parent / f"attic-{fails}"
    attic.mkdir()
    for number in range(3):
        (attic / f"f{number}").touch()
    state = StateDir(directory / f"state-{fails}")
    state.ensure()
    shutil.copy(migrated, state.database)
    task = Sweep(attic)
    core = Core(state, settings(task, [REMEDY]), clock=Clock(START))
    await core.open()
    core._ballast.lay(16 * MIB)
    working: list[asyncio.Task[None]] = []
    try:
        faults.fail(fails)
        await core.start_engine()
        working = [asyncio.create_task(work) for work in (core.decider.run(), core.queue.queue_again())]
        accepted = 0
        for _ in range(3):  # Alertmanager sends again what was not accepted
            try:
                accepted = await core.inbox.accept(notification(alert()))
                break
            except (NoRoom, SQLAlchemyError, OSError):
                continue
        assert accepted == 1, "one failing write is not to keep an alert out"

        async def finished() -> RunView | None:
            runs = (await core.runs())["items"]
            return runs[0] if len(runs) == 1 and runs[0]["state"] == "finished" else None

        run = await wait_until(finished, timeout=120, what=f"the run to end, change {fails} having failed")
        assert (run["outcome"], [action["state"] for action in run["actions"]]) == ("effective", ["done"] * 3)
        # Counted by the task itself: what it did it did once.
        assert task.applied == ["f0", "f1", "f2"]
        assert list(attic.iterdir()) == []
        changes = faults.changes
        assert fails == 0 or fails > changes or faults.failed
    finally:
        faults.fail(0)
        for each in working:
            each.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await core.close()
    return changes


async def test_an_alert_is_decided_and_acted_on_once_whichever_write_finds_no_room(
    tmp_path: Path, migrated: Path
) -> None:
    async with fault_disk(tmp_path / "disk") as faults:
        changes = await whole_way(tmp_path / "disk", migrated, faults, 0)
        assert changes > 20
        step = max(1, changes // FAILING)
        for fails in range(1, changes + 1, step):
            await whole_way(tmp_path / "disk", migrated, faults, fails)
