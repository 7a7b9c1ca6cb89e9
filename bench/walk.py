"""The size of a tree of 100,000 files beside ``du -s``, with the tree in the kernel's memory.

As the exporter measures it again and again, at rest and while logs are written and rotated, and as one full walk.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from statistics import median

from bench.processes import our_versions, program, version_of
from bench.report import Goal, Result
from exporter.configfile.quantities import Bytes
from exporter.inventory.logs import LogDirectory
from exporter.logdirs.meter import LogMeter
from exporter.logdirs.usage import measure

DIRECTORIES = 100
FILES = 1000
ROUNDS = 11
ACTIVE = 50

_WHOLE_PROCESS = """
import sys
from exporter.inventory.logs import LogDirectory
from exporter.logdirs.usage import measure
print(measure(LogDirectory.model_validate_json(sys.argv[1])).allocated_bytes)
"""


def _make_tree(root: Path) -> None:
    for number in range(DIRECTORIES):
        directory = root / f"{number // 10}" / f"{number % 10}"
        directory.mkdir(parents=True)
        for file in range(FILES):
            (directory / f"app-{file}.log").write_bytes(b"a line of a log\n" if file % 10 == 0 else b"")


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def _steady(meter: LogMeter, round_: int, logs: Sequence[Path]) -> float:
    """Seconds that a round takes after these logs were written to and one of them was rotated."""
    for log in logs:
        with log.open("ab") as file:
            file.write(b"one more line of a log\n")
    for log in logs[:1]:
        log.rename(log.with_name(f"{log.name}-{round_}"))
        log.touch()
    start = time.perf_counter()
    usage = meter.measure()
    seconds = time.perf_counter() - start
    if not meter.is_told or usage.files < DIRECTORIES * FILES:
        raise RuntimeError("the kernel does not tell what changes in the temporary directory")
    return seconds


def _in_process(directory: LogDirectory) -> float:
    start = time.perf_counter()
    usage = measure(directory)
    seconds = time.perf_counter() - start
    if usage.files != DIRECTORIES * FILES:
        raise RuntimeError(f"{usage.files} files were counted in a tree of {DIRECTORIES * FILES}")
    return seconds


async def run() -> AsyncIterator[Result]:
    """The median time of a walk: in the exporter's process, where it is done, and as a process of its own."""
    du = program("du", "coreutils")
    versions = {**our_versions(), "du": version_of(du, "--version")}
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as root:
        _make_tree(Path(root))
        directory = LogDirectory(name="bench", path=root, max_bytes=Bytes(1024**3), recursive=True)
        config = json.dumps({"name": "bench", "path": root, "max_bytes": "1GiB", "recursive": True})
        whole = [sys.executable, "-c", _WHOLE_PROCESS, config]
        _seconds([du, "-s", root])
        meter = LogMeter(directory)
        meter.measure()
        busy = sorted(Path(root).rglob("app-0.log"))[:ACTIVE]
        times = [
            (_in_process(directory), _seconds([du, "-s", root]), _seconds(whole), _steady(meter, 0, []))
            for _ in range(ROUNDS)
        ]
        written = [_steady(meter, number, busy) for number in range(ROUNDS)]
        if meter.measure() != measure(directory):
            raise RuntimeError("what was measured from the changes is not what a full walk finds")
        meter.close()
    inside, peer, outside, rest = (median(column) for column in zip(*times, strict=True))

    def result(name: str, seconds: float, goal: Goal | None, note: str) -> Result:
        return Result(
            name=name,
            ours=seconds * 1000,
            peer=peer * 1000,
            peer_name="du -s",
            unit="ms",
            goal=goal,
            command="python -m bench walk",
            versions=versions,
            notes=(f"median of {ROUNDS} rounds, du as a whole process; {note}",),
        )

    for name, seconds, note in (
        ("at rest", rest, "nothing changed since the round before"),
        ("in use", median(written), f"{ACTIVE} logs were written to and one was rotated since the round before"),
    ):
        yield result(f"size of {DIRECTORIES * FILES:,} files again, {name}", seconds, Goal("ratio", "<=", 0.2), note)
    for name, seconds, note in (
        ("in the exporter", inside, "ours also looks for the oldest log, and follows no symlink swapped in"),
        ("as a process of its own", outside, "with the start of Python and its imports, which nobody pays each time"),
    ):
        yield result(f"full walk of {DIRECTORIES * FILES:,} files, {name}", seconds, None, note)
