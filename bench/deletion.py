"""Deleting 100,000 expired files, and bringing 20,000 files under a limit, beside logrotate, and find, sort and rm.

logrotate deletes the rotated files of a log that are older than `maxage` or beyond `rotate` when it rotates that log.
It knows no limit of a directory: it is told how many files fit. The files are named as its `dateext` names them.

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
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.processes import our_versions, program, version_of
from bench.report import Goal, Result
from bench.rotation import logrotate_program
from exporter.base.units import format_bytes
from remediator.control.core import Core
from remediator.control.opening import open_core

FILE_BYTES = 1000
LIMIT_BYTES = 40 * 1024**2
ROUNDS = 3
LONG_ENOUGH = 60.0
"""Seconds of a round after which there is no other: on a slow disk, the disk is all that is measured."""
LOOK_SECONDS = 0.05
DAY = 86400
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

LOGROTATE = """\
{path}/app.log {{
  {keep}
  dateext
  dateformat -%Y%m%d-%s
  copytruncate
}}
"""
EXPIRED = "find {path} -name 'app.log-*' -type f -mtime +30 -delete"
TO_FIT = """over=$(( $(du -s -B1 {path} | cut -f1) - {limit} ))
find {path} -name 'app.log-*' -type f -printf '%T@ %b %p\\n' | sort -n |
awk -v over=$over 'freed < over {{ freed += $2 * 512; print $3 }}' | xargs -d '\\n' rm -f"""


@dataclass(frozen=True)
class Case:
    name: str
    files: int
    age: str
    limit: int
    logrotate: str
    """What it is to keep."""
    shell: str
    """The same by a shell."""
    shell_name: str
    left: range
    """How many rotated files may stay."""

    @property
    def files_expire(self) -> bool:
        return 0 in self.left


CASES = (
    Case(
        "deleting 100,000 expired files",
        100_000,
        "30d",
        2**40,
        "maxage 30\n  rotate 1000000",
        EXPIRED,
        "find -delete",
        range(2),
    ),
    Case(
        "20,000 files brought under a limit",
        20_000,
        "10y",
        LIMIT_BYTES,
        "rotate 10240",
        TO_FIT,
        "du, find, sort, awk, rm",
        range(10_000, 10_300),
    ),
)


@dataclass(frozen=True)
class Cost:
    """What something took, in seconds."""

    time: float
    processor: float
    """User and system, of all processes."""


async def run() -> AsyncIterator[Result]:
    """Seconds of each case on the disk of the temporary directory and, where there is one, in memory."""
    find, logrotate = program("find", "findutils"), logrotate_program()
    versions = {
        **our_versions(),
        "find": version_of(find, "--version"),
        "logrotate": version_of(logrotate, "--version"),
    }
    places = [("on the disk", tempfile.gettempdir())]
    if os.access("/dev/shm", os.W_OK):
        places.append(("in memory", "/dev/shm"))
    for where, parent in places:
        with tempfile.TemporaryDirectory(prefix="upkeeper-bench-", dir=parent) as scratch:
            for case in CASES:
                for result in await _compared(case, where, Path(scratch), logrotate, versions):
                    yield result


async def _compared(
    case: Case, where: str, scratch: Path, logrotate: str, versions: Mapping[str, str]
) -> Sequence[Result]:
    def timed(work: Callable[[], None]) -> Callable[[], Awaitable[Cost]]:
        return lambda: asyncio.to_thread(_cost_of, work)

    works: dict[str, Callable[[], Awaitable[Cost]]] = {
        "ours": lambda: _ours(scratch),
        "logrotate": timed(lambda: _logrotate(case, scratch, logrotate)),
        case.shell_name: timed(lambda: _shell(case, scratch)),
    }
    if case.files_expire:
        works["bare"] = timed(lambda: _bare(scratch / "logs"))
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    while len(costs["ours"]) < ROUNDS and all(cost.time < LONG_ENOUGH for each in costs.values() for cost in each):
        for name, work in works.items():
            costs[name].append(await _done(scratch, case, work))
    notes = [
        f"files of {FILE_BYTES} bytes in one directory, made anew and synced before each;"
        f" median of {len(costs['ours'])} in turns, ours as a whole run with its record"
    ]
    if not case.files_expire:
        notes.append(f"the limit is {format_bytes(case.limit)}; logrotate is told how many files fit")
    if "bare" in costs:
        notes.append(f"a bare loop of scandir, stat and unlink in Python: {_median(costs['bare'])}")
    return [
        Result(
            name=f"{case.name}, {where}",
            ours=median(cost.time for cost in costs["ours"]),
            peer=median(cost.time for cost in costs[peer]),
            peer_name=peer,
            unit="s",
            goal=goal,
            command="python -m bench deletion",
            versions=versions,
            notes=[*notes, f"ours {_median(costs['ours'])}, {peer} {_median(costs[peer])}"],
        )
        for peer, goal in (("logrotate", Goal("ratio", "<=", 2)), (case.shell_name, None))
    ]


def _median(costs: Sequence[Cost]) -> str:
    time, processor = (median(getattr(cost, what) for cost in costs) for what in ("time", "processor"))
    return f"{time:.2f} s, {processor:.2f} s of processor time"


async def _done(scratch: Path, case: Case, work: Callable[[], Awaitable[Cost]]) -> Cost:
    """What the work took, on files made for it. Raises RuntimeError where it left others than it should."""
    logs, state, empty = scratch / "logs", scratch / "state", scratch / "empty"
    _make(logs, case.files)
    empty.mkdir()
    (scratch / "upkeeper.yml").write_text(CONFIG.format(path=logs, limit=case.limit, age=case.age, empty=empty))
    try:
        cost = await work()
        left = len(list(logs.glob("app.log-*")))
        if left not in case.left:
            raise RuntimeError(f"{case.name}: {left} files are left")
        return cost
    finally:
        for directory in (logs, empty, state):
            shutil.rmtree(directory, ignore_errors=True)


def _make(logs: Path, count: int) -> None:
    logs.mkdir()
    (logs / "app.log").touch()
    now = int(time.time())
    for number in range(count):
        rotated = now - 40 * DAY - number
        path = logs / f"app.log-{datetime.fromtimestamp(rotated, UTC):%Y%m%d}-{rotated}"
        path.write_bytes(b"x" * FILE_BYTES)
        os.utime(path, (rotated, rotated))
    os.sync()


def _logrotate(case: Case, scratch: Path, program: str) -> None:
    config, state = scratch / "logrotate.conf", scratch / "logrotate.state"
    config.write_text(LOGROTATE.format(path=scratch / "logs", keep=case.logrotate))
    config.chmod(0o644)
    subprocess.run([program, "--force", "--state", str(state), str(config)], check=True)


def _shell(case: Case, scratch: Path) -> None:
    command = case.shell.format(path=scratch / "logs", limit=case.limit)
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True)


def _bare(logs: Path) -> None:
    """What Python can do at the least: what ``find`` does, without a record, a guard or a second look."""
    latest = time.time() - 30 * DAY
    directory = os.open(logs, os.O_RDONLY)
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("app.log-") and entry.stat(follow_symlinks=False).st_mtime < latest:
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
