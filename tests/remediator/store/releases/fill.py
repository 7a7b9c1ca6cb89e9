"""How the dumps beside this were made: fills a state directory by the release that is checked out, and dumps it.

    git worktree add --detach /tmp/release d86ce07
    cd tests/remediator/store/releases
    PYTHONPATH=/tmp/release python fill.py d86ce07.sql.gz

The release's own Core, store and durable engine write; the task is the tests' own, so no path of a machine is in it.
From November 28th 2026 on every table has a row; a table that is new is filled in ``fill_all``.
"""

import asyncio
import gzip
import platform
import sqlite3
import sys
import tempfile
from contextlib import suppress
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
    await fill_all(stack)
    clock.now += 100
    task.stuck = asyncio.Event()
    await stack.receive(alert(starts_at=START + 4000))  # under way when the process ends
    while "f0" not in task.applied[-1:]:
        await asyncio.sleep(0.05)
    await stack.core.pause("sweep", "over the upgrade", None)
    await stack.core.close()
    return state.database


async def fill_all(stack: Stack) -> None:
    """What releases had not before the one that can cancel a run."""
    try:
        import remediator.control.cancelling  # noqa: F401
    except ImportError:
        return
    from functools import partial

    from remediator.model.job import DueTarget, JobRecord
    from remediator.model.level import Level
    from remediator.model.silence import Matcher
    from remediator.model.task import Row
    from remediator.store import artefacts, episodes, jobs, levels, rows, silences

    class Cell(Row):
        name: str

    core, clock, host = stack.core, stack.clock, "host"
    asking = REMEDY.model_copy(update={"autonomy": "approve"})
    core.apply_settings(settings(stack.task, [asking]))
    for number, end in enumerate(("deny", "cancel")):
        clock.now += 100
        stack.clutter(3)
        await stack.receive(alert(starts_at=START + 3500 + number))
        while not (asked := (await core.approvals(state="asked"))["items"]):
            await asyncio.sleep(0.05)
        if end == "deny":
            await core.decide_approval(asked[0]["id"], "deny", asked[0]["plan_hash"], "not on Sundays")
        else:
            await core.cancel_run(asked[0]["run"], "moving house")
    core.apply_settings(settings(stack.task, [REMEDY]))
    await core.create_token("ann", "operator", None)
    write = core._database.write
    now = clock.now
    lower = Level("other", "auto", "approve", "two runs in a row did not help", now)
    await write(partial(levels.change, host=host, level=lower, before="auto"))
    await write(partial(episodes.heard, host=host, names=["upkeeper"], now=now))
    matchers = [Matcher("alertname", "Cluttered")]
    await write(
        partial(silences.want, host=host, purpose="page", matchers=matchers, comment="a page", now=now, run_id=1)
    )
    made = {"name": "report.txt", "media_type": "text/plain", "content": b"all is well\n"}
    await write(partial(artefacts.keep, run_id=1, now=now, **made))
    await write(partial(rows.replace, run_id=1, rows=[Cell(name="f0")]))
    position = JobRecord(
        name="nightly", task="sweep", target=None, at="0 2 * * *", timezone="UTC", since=now, handled_until=now,
        done_until=now, last_due_at=now, last_outcome="effective",
    )  # fmt: skip
    await write(partial(jobs.keep, host=host, record=position))
    number = await write(partial(jobs.note, host=host, job="nightly", due_at=now, state="waiting", now=now))
    ran = {"state": "ran", "targets": [DueTarget("attic", 1)], "outcome": "effective", "finished_at": now}
    await write(partial(jobs.settle, number=number, **ran))


def dump(database: Path, file: Path) -> None:
    """The database as SQL, compressed; the same bytes for the same content."""
    with sqlite3.connect(database) as connection:
        text = "\n".join(connection.iterdump()) + "\n"
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    platform.node = lambda: "host"  # the engine keeps the machine's name
    with suppress(ImportError):
        import remediator.runs.evidence as gathered

        async def nothing() -> list[str]:
            return ["1 upkeeper"]

        gathered.top_processes = nothing  # which would be this machine's
    with tempfile.TemporaryDirectory() as directory:
        dump(asyncio.run(fill(Path(directory))), Path(sys.argv[1]))
