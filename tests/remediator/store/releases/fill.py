"""How the dumps beside this were made: fills a state directory by the release that is checked out, and dumps it.

    git worktree add --detach /tmp/release d86ce07
    PYTHONPATH=/tmp/release python tests/remediator/store/releases/fill.py tests/remediator/releases/d86ce07.sql.gz

The release's own Core, store and durable engine write; the task is the tests' own, so no path of a machine is in it.
"""

import asyncio
import gzip
import platform
import sqlite3
import sys
import tempfile
from pathlib import Path

from remediator.control.core import Core
from remediator.statedir import StateDir
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Clock, Stack, alert, settings
from tests.remediator.sweep import Sweep


async def fill(root: Path) -> Path:
    """A record with every verdict, runs that helped, did not, failed, were planned only, and one that is under way."""
    attic = root / "attic"
    attic.mkdir()
    state = StateDir(root / "state")
    state.ensure()
    task, clock = Sweep(attic), Clock(START)
    stack = Stack(Core(state, settings(task, [REMEDY]), clock=clock), clock, task, attic, [REMEDY])
    await stack.core.open()
    await stack.core.start_engine()

    stack.clutter(3)
    await stack.receive(alert(), alert(alertname="Other"), alert(room="cellar"))  # run, unmatched, no-target
    await stack.finished(1)
    await stack.receive(alert(status="resolved"))
    clock.now += 10
    await stack.receive(alert(starts_at=START + 5))  # blocked by the cooldown, and goes on firing
    task.useless = True
    for number in range(2, 5):  # three that do not help: the breaker opens
        clock.now += 100
        stack.clutter(3)
        await stack.receive(alert(starts_at=START + number * 100))
        await stack.finished(number)
    await stack.core.close_breaker("sweep", "attic")
    task.useless, task.broken = False, True
    clock.now += 100
    await stack.receive(alert(starts_at=START + 1000))  # failed
    await stack.finished(5)
    task.broken = False
    stack.core.apply_settings(settings(task, [REMEDY.model_copy(update={"autonomy": "observe"})]))
    clock.now += 100
    await stack.receive(alert(starts_at=START + 2000))  # observed: planned only
    await stack.finished(6)
    await stack.core.pause("sweep", "moving house", 3600.0)
    stack.core.apply_settings(settings(task, [REMEDY]))
    await stack.receive(alert(starts_at=START + 3000))  # blocked by the pause
    await stack.core.resume("sweep")
    await stack.core.pause(None, "holiday", None)
    await stack.core.resume(None)
    clock.now += 100
    task.stuck = asyncio.Event()
    await stack.receive(alert(starts_at=START + 4000))  # under way when the process ends
    while "f0" not in task.applied[-1:]:
        await asyncio.sleep(0.05)
    await stack.core.pause("sweep", "over the upgrade", None)
    await stack.core.close()
    return state.database


def dump(database: Path, file: Path) -> None:
    """The database as SQL, compressed; the same bytes for the same content."""
    with sqlite3.connect(database) as connection:
        text = "\n".join(connection.iterdump()) + "\n"
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    platform.node = lambda: "host"  # the engine keeps the machine's name
    with tempfile.TemporaryDirectory() as directory:
        dump(asyncio.run(fill(Path(directory))), Path(sys.argv[1]))
