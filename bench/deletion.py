"""Deleting 100,000 expired files, and bringing 20,000 files under a limit, beside find, sort and rm.

``python -m bench deletion``. Ours is a whole run as a running remediator does it, from the request until its outcome is
on disk: measured, planned, recorded, each file looked at again before it goes, and measured once more. Before that it
ran on an empty directory, since the engine's library is imported for the first run.
"""

import asyncio
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.processes import our_versions, program, version_of
from bench.report import Goal, Result
from exporter.base.units import format_bytes
from remediator.control.core import Core
from remediator.control.opening import open_core

FILE_BYTES = 1000
LIMIT_BYTES = 40 * 1024**2
ROUNDS = 3
LONG_ENOUGH = 60.0
"""Seconds of a round after which there is no other: on a slow disk, the disk is all that is measured."""
LOOK_SECONDS = 0.005
DAY = 86400.0
FINISHED = "upkeeper_task_runs_total"

CONFIG = """\
logs:
  - name: bench
    path: {path}
    max_bytes: {limit}
    rotation: {{keep_age: {age}, keep_count: 1000000, max_file_age: null}}
  - {{name: empty, path: {empty}, max_bytes: 1MiB}}
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


@dataclass(frozen=True)
class Cost:
    """What something took, in seconds."""

    time: float
    processor: float
    """User and system, of all processes."""


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
                yield await _compared(case, where, Path(scratch), versions)


async def _compared(case: Case, where: str, scratch: Path, versions: Mapping[str, str]) -> Result:
    async def peer() -> Cost:
        return await asyncio.to_thread(_cost_of, lambda: _peer(case, scratch))

    async def bare() -> Cost:
        return await asyncio.to_thread(_cost_of, lambda: _bare(scratch / "logs"))

    theirs, ours, least = [], [], []
    while len(ours) < ROUNDS and (not ours or max(cost.time for cost in (*ours, *theirs)) < LONG_ENOUGH):
        theirs.append(await _done(scratch, case, peer))
        ours.append(await _done(scratch, case, lambda: _ours(scratch)))
        if not case.left:
            least.append(await _done(scratch, case, bare))
    notes = [
        f"files of {FILE_BYTES} bytes in one directory, made anew and synced before each;"
        f" median of {len(ours)} in turns, ours as a whole run with its record",
        f"processor time: {_processor(ours):.2f} s beside {_processor(theirs):.2f} s",
    ]
    if case.limit == LIMIT_BYTES:
        notes.append(f"the limit is {format_bytes(case.limit)}")
    if least:
        notes.append(
            "a bare loop of scandir, stat and unlink in Python:"
            f" {median(cost.time for cost in least):.2f} s, processor time {_processor(least):.2f} s"
        )
    return Result(
        name=f"{case.name}, {where}",
        ours=median(cost.time for cost in ours),
        peer=median(cost.time for cost in theirs),
        peer_name=case.peer_name,
        unit="s",
        goal=Goal("ratio", "<=", 2),
        command="python -m bench deletion",
        versions=versions,
        notes=notes,
    )


def _processor(costs: Sequence[Cost]) -> float:
    return median(cost.processor for cost in costs)


async def _done(scratch: Path, case: Case, work: Callable[[], Awaitable[Cost]]) -> Cost:
    """What the work took, on files made for it. Raises RuntimeError where it left others than it should."""
    logs, state, empty = scratch / "logs", scratch / "state", scratch / "empty"
    _make(logs, case.files)
    empty.mkdir()
    (scratch / "upkeeper.yml").write_text(CONFIG.format(path=logs, limit=case.limit, age=case.age, empty=empty))
    try:
        cost = await work()
        left = len(list(logs.glob("app.log.*")))
        if left > case.left or (case.left and not left):
            raise RuntimeError(f"{case.name}: {left} files are left")
        return cost
    finally:
        for directory in (logs, empty, state):
            shutil.rmtree(directory, ignore_errors=True)


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


def _bare(logs: Path) -> None:
    """What Python can do at the least: what ``find`` does, without a record, a guard or a second look."""
    latest = time.time() - 30 * DAY
    directory = os.open(logs, os.O_RDONLY)
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("app.log.") and entry.stat(follow_symlinks=False).st_mtime < latest:
                    os.unlink(name, dir_fd=directory)
    finally:
        os.close(directory)


def _cost_of(work: Callable[[], None]) -> Cost:
    start, spent = time.perf_counter(), _spent()
    work()
    return Cost(time.perf_counter() - start, _spent() - spent)


def _spent() -> float:
    """Seconds of processor time, of this process and of those that it waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


async def _ours(scratch: Path) -> Cost:
    async with open_core(scratch / "upkeeper.yml", scratch / "state", engine=True) as core:
        await _one_run(core, "empty", "nothing-to-do")
        start, spent = time.perf_counter(), _spent()
        await _one_run(core, "bench", "effective")
        return Cost(time.perf_counter() - start, _spent() - spent)


async def _one_run(core: Core, target: str, outcome: str) -> None:
    """A run from the request until its outcome is on disk: then the counter of finished runs tells."""

    def finished() -> float:
        families = core.registry.collect()
        return sum(each.value for family in families for each in family.samples if each.name == FINISHED)

    before = finished()
    view = await core.start_run("log-rotation", target, dry_run=False)
    while finished() == before:
        await asyncio.sleep(LOOK_SECONDS)
    view = await core.run(view["id"])
    if view["outcome"] != outcome:
        raise RuntimeError(f"the run was {view['outcome']}: {view['reason']}")
