"""Deleting 100,000 expired files, and bringing 20,000 files under a limit, beside find, sort and rm.

``python -m bench deletion``. Ours is a whole run as a running remediator does it, from the request until its outcome is
on disk: measured, planned, recorded, each file looked at again before it goes, and measured once more.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from bench.processes import our_versions, program, version_of
from bench.report import Goal, Result
from exporter.base.units import format_bytes
from remediator.control.core import open_core

FILE_BYTES = 1000
LIMIT_BYTES = 40 * 1024**2
ROUNDS = 3
LONG_ENOUGH = 60.0
"""Seconds of a round after which there is no other: on a slow disk, the disk is all that is measured."""
LOOK_SECONDS = 0.02
DAY = 86400.0

CONFIG = """\
logs:
  - name: bench
    path: {path}
    max_bytes: {limit}
    rotation: {{keep_age: {age}, keep_count: 1000000, max_file_age: null}}
collectors: {{docker: {{enabled: false}}}}
"""

EXPIRED = "find {path} -name 'app.log.*' -type f -mtime +30 -delete"
TO_FIT = """over=$(( $(du -s -B1 {path} | cut -f1) - {limit} ))
find {path} -name 'app.log.*' -type f -printf '%T@ %b %p\\n' | sort -n |
awk -v over=$over 'freed < over {{ freed += $2 * 512; print $3 }}' | xargs -d '\\n' rm -f"""


@dataclass(frozen=True)
class Case:
    name: str
    files: int
    age: str
    limit: int
    peer: str
    peer_name: str
    left: int
    """Rotated files that stay, at the most."""


CASES = (
    Case("deleting 100,000 expired files", 100_000, "30d", 2**40, EXPIRED, "find -delete", 0),
    Case("20,000 files brought under a limit", 20_000, "10y", LIMIT_BYTES, TO_FIT, "du, find, sort, awk, rm", 10_300),
)


async def run() -> AsyncIterator[Result]:
    """Seconds of each case on the disk of the temporary directory and, where there is one, in memory."""
    find = program("find", "findutils")
    versions = {**our_versions(), "find": version_of(find, "--version")}
    places = [("on the disk", tempfile.gettempdir())]
    if os.access("/dev/shm", os.W_OK):
        places.append(("in memory", "/dev/shm"))
    for where, parent in places:
        with tempfile.TemporaryDirectory(prefix="upkeeper-bench-", dir=parent) as scratch:
            for case in CASES:
                ours, theirs = [], []
                while len(ours) < ROUNDS and (not ours or max(*ours, *theirs) < LONG_ENOUGH):
                    theirs.append(await _timed(Path(scratch), case, lambda case=case: _peer(case, Path(scratch))))
                    ours.append(await _timed(Path(scratch), case, None))
                yield Result(
                    name=f"{case.name}, {where}",
                    ours=median(ours),
                    peer=median(theirs),
                    peer_name=case.peer_name,
                    unit="s",
                    goal=Goal("ratio", "<=", 2),
                    command="python -m bench deletion",
                    versions=versions,
                    notes=[
                        f"files of {FILE_BYTES} bytes in one directory, made anew and synced before each;"
                        f" median of {len(ours)} in turns, ours as a whole run with its record",
                        *([f"the limit is {format_bytes(case.limit)}"] if case.limit == LIMIT_BYTES else []),
                    ],
                )


async def _timed(scratch: Path, case: Case, peer: Callable[[], None] | None) -> float:
    """Seconds that the peer took, or, without one, that a run of ours took."""
    logs, state = scratch / "logs", scratch / "state"
    _make(logs, case.files)
    config = scratch / "upkeeper.yml"
    config.write_text(CONFIG.format(path=logs, limit=case.limit, age=case.age))
    try:
        if peer is not None:
            start = time.perf_counter()
            await asyncio.to_thread(peer)
            seconds = time.perf_counter() - start
        else:
            seconds = await _ours(config, state)
        left = len(list(logs.glob("app.log.*")))
        if left > case.left or (case.left and not left):
            raise RuntimeError(f"{case.name}: {left} files are left")
        return seconds
    finally:
        shutil.rmtree(logs)
        shutil.rmtree(state, ignore_errors=True)


def _make(logs: Path, count: int) -> None:
    logs.mkdir()
    (logs / "app.log").touch()
    now = time.time()
    for number in range(count):
        path = logs / f"app.log.{number}"
        path.write_bytes(b"x" * FILE_BYTES)
        written = now - 40 * DAY - number
        os.utime(path, (written, written))
    os.sync()


def _peer(case: Case, scratch: Path) -> None:
    command = case.peer.format(path=scratch / "logs", limit=case.limit)
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True)


async def _ours(config: Path, state: Path) -> float:
    async with open_core(config, state, engine=True) as core:
        before = psutil.Process().cpu_times()
        start = time.perf_counter()
        view = await core.start_run("log-rotation", "bench", dry_run=False)
        while view["state"] != "finished":
            await asyncio.sleep(LOOK_SECONDS)
            view = await core.run(view["id"])
        seconds = time.perf_counter() - start
        after = psutil.Process().cpu_times()
    if view["outcome"] != "effective":
        raise RuntimeError(f"the run was {view['outcome']}: {view['reason']}")
    if os.environ.get("UPKEEPER_BENCH_CPU"):
        print(f"    processor: user {after.user - before.user:.2f} s, system {after.system - before.system:.2f} s")
    return seconds
