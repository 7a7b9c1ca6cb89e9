"""What a report over 90 days costs with 100,000 runs in the record: time and memory of the whole command.

The record is filled directly, three actions a run; ``UPKEEPER_BENCH_RUNS`` is the number of runs. The command works by
itself, as without a remediator, so that starting Python and importing everything is in the figures.
"""

import asyncio
import os
import random
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.processes import UPKEEPER, our_versions
from bench.report import Goal, Result
from remediator.statedir import StateDir
from remediator.store.database import Database
from remediator.store.tables import actions, runs

RUNS = int(os.environ.get("UPKEEPER_BENCH_RUNS", "100000"))
DAYS, DAY = 90, 86400.0
ACTIONS = 3
TASKS = ("health-check", "log-rotation", "docker-cleanup", "postgres-maintenance", "backup", "service-restart")
OUTCOMES = {"effective": 50, "nothing-to-do": 30, "planned": 10, "blocked": 4, "failed": 3, "ineffective": 3}
AT_ONCE = 5000


def _rows(begin: int, end: int, host: str, since: float, rng: random.Random) -> tuple[list[Any], list[Any]]:
    its_runs, its_actions = [], []
    measured = {"breached": True, "values": {"bytes": 1.0}, "detail": "x" * 80}
    action = {
        "kind": "delete",
        "object": "o" * 60,
        "reason": "r" * 40,
        "estimated_bytes": 100,
        "items": 1,
        "params": {},
    }
    for number in range(begin, end):
        outcome = rng.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
        at = since + DAYS * DAY * number / RUNS
        its_runs.append(
            {"id": number + 1, "host": host, "task": rng.choice(TASKS), "target": f"t{rng.randrange(20)}", "params": {},
             "trigger": rng.choice(["alert", "schedule", "cli"]), "caller": f"c{rng.randrange(8)}",
             "dry_run": outcome == "planned", "state": "finished", "outcome": outcome, "reason": f"reason {number}",
             "requested_at": at - 5, "started_at": at - 4, "finished_at": at, "notes": [], "before": measured}
        )  # fmt: skip
        its_actions += [
            {"run_id": number + 1, "position": position, "action": action, "state": "done", "detail": "ok",
             "freed_bytes": rng.randrange(10**6)}
            for position in range(ACTIONS)
        ]  # fmt: skip
    return its_runs, its_actions


async def _fill(place: Path, now: float) -> None:
    database = Database(place)
    await database.migrate()
    rng = random.Random(7)
    for begin in range(0, RUNS, AT_ONCE):
        rows = _rows(begin, min(RUNS, begin + AT_ONCE), database.host, now - DAYS * DAY, rng)

        def insert(connection: sa.Connection, rows: tuple[list[Any], list[Any]] = rows) -> None:
            connection.execute(runs.insert(), rows[0])
            connection.execute(actions.insert(), rows[1])

        await database.write(insert)
    await database.close()


def _measured(command: list[str]) -> tuple[float, float, float]:
    """Seconds, processor seconds and MB at most of a command. Raises RuntimeError when it fails."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


async def run() -> AsyncIterator[Result]:
    """Time, processor time and memory."""
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as directory:
        root = Path(directory)
        (root / "state").mkdir()
        (root / "upkeeper.yml").write_text("remediator: {ballast: 0}\ndocker: {host: 'unix:///nonexistent'}\n")
        await _fill(StateDir(root / "state").database, time.time())
        command = [*UPKEEPER, "report", "--since", f"{DAYS}d", "--config", str(root / "upkeeper.yml"),
                   "--state-dir", str(root / "state"), "--output", str(root / "report.html")]  # fmt: skip
        await asyncio.to_thread(_measured, command)
        seconds, processor, megabytes = await asyncio.to_thread(_measured, command)
    about = f"a report over {DAYS} days with {RUNS} runs"
    figures: tuple[tuple[str, float, str, Goal | None], ...] = (
        ("time", seconds, "s", Goal("ours", "<", 5)),
        ("processor time", processor, "s", None),
        ("memory", megabytes, "MB", Goal("ours", "<", 150)),
    )
    for name, value, unit, goal in figures:
        yield Result(
            name=f"{about}, {name}",
            ours=value,
            peer=None,
            unit=unit,
            goal=goal,
            command="python -m bench maintenance_report",
            versions=our_versions(),
            notes=("the whole command, from its start to its end, without a remediator",) if name == "time" else (),
        )
