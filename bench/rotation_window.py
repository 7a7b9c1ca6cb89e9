"""Lines that copytruncate loses while a writer never stops, beside logrotate's: ``python -m bench.rotation_window``.

On a file system that can take blocks out of a file none can get lost; on another, here /dev/shm, those can that are
written between the last look at the log's length and its truncation.
"""

import asyncio
import gzip
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ByteSize

from bench.report import Goal, Result, Skipped, lines
from bench.rotation import logrotate_program, versions
from exporter.inventory.logs import LogDirectory, RotationPolicy
from remediator.files import linux
from remediator.model.task import TaskError
from remediator.tasks.log_rotation.task import LogRotation

ROTATIONS = 100
GROWTH = 20_000
"""Bytes that are written between two rotations."""
COMMAND = "python -m bench.rotation_window"
_WRITER = """
import os, signal, sys, time
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
count = 0
while not stopping:
    os.write(fd, b"%09d a line of a busy log\\n" % count)
    count += 1
    time.sleep(0.0001)
print(count)
"""


@dataclass(frozen=True)
class _Loss:
    written: int
    lost: int
    seconds: float


async def run() -> AsyncIterator[Result]:
    """Lost lines in so many rotations, by file system."""
    program = logrotate_program()
    if not Path("/dev/shm").is_dir():
        raise Skipped("there is no /dev/shm")
    window = _window()
    for place, parent in (("tmpfs, truncated", "/dev/shm"), ("the disk, cut where it can", None)):
        ours = await _lost(parent, _upkeeper)
        theirs = await _lost(parent, lambda directory: _logrotate(program, directory))
        rate = ours.written / ours.seconds
        yield Result(
            name=f"lines lost by copytruncate, {place}",
            ours=ours.lost,
            peer=theirs.lost,
            peer_name="logrotate copytruncate",
            unit=f"lines in {ROTATIONS} rotations",
            goal=None if parent else Goal("ours", "<=", 0),
            command=COMMAND,
            versions=versions(program),
            notes=[
                f"The writer wrote {rate:,.0f} lines a second: {ours.written:,} during ours,"
                f" {theirs.written:,} during logrotate's rotations.",
                f"From the last look at the length to the end of the truncation: {window * 1e6:.1f} µs (median).",
            ],
        )


def _window() -> float:
    """Seconds that the look and the truncation take together."""
    samples = []
    with tempfile.TemporaryFile(dir="/dev/shm", buffering=0) as file:
        for _ in range(2000):
            file.write(b"x" * GROWTH)
            start = time.perf_counter()
            linux.truncate_if(file.fileno(), GROWTH)
            samples.append(time.perf_counter() - start)
            file.seek(0)
    return statistics.median(samples)


async def _lost(parent: str | None, rotate: Callable[[Path], Awaitable[None]]) -> _Loss:
    with tempfile.TemporaryDirectory(dir=parent) as scratch:
        directory = Path(scratch) / "logs"
        directory.mkdir()
        log = directory / "app.log"
        start = time.perf_counter()
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WRITER, str(log), stdout=asyncio.subprocess.PIPE
        )
        try:
            for _ in range(ROTATIONS):
                while not log.exists() or log.stat().st_size < GROWTH:
                    await asyncio.sleep(0.001)
                await rotate(directory)
        finally:
            writer.send_signal(signal.SIGTERM)
            output, _ = await writer.communicate()
        seconds = time.perf_counter() - start
        found = set()
        for path in directory.iterdir():
            data = path.read_bytes()
            found.update((gzip.decompress(data) if path.suffix == ".gz" else data).splitlines())
        written = int(output)
        lost = sum(b"%09d a line of a busy log" % number not in found for number in range(written))
        return _Loss(written, lost, seconds)


async def _upkeeper(directory: Path) -> None:
    rotation = RotationPolicy.model_validate({"max_file_bytes": 1024, "keep_count": 10 * ROTATIONS})
    target = LogDirectory(name="bench", path=str(directory), max_bytes=ByteSize(2**40), rotation=rotation)
    task = LogRotation([target])
    for action in (await task.plan("bench")).actions:
        try:
            await task.apply("bench", action)
        except TaskError as error:
            print(error, file=sys.stderr)  # too busy just then; nothing was lost


async def _logrotate(program: str, directory: Path) -> None:
    config = directory.parent / "logrotate.conf"
    config.write_text(f"{directory}/*.log {{\n  size 1\n  rotate {10 * ROTATIONS}\n  compress\n  copytruncate\n}}\n")
    config.chmod(0o644)
    await asyncio.to_thread(
        subprocess.run, [program, "--state", str(directory.parent / "state"), str(config)], check=True
    )


async def _main() -> None:
    async for result in run():
        print("\n".join(lines(result)))


if __name__ == "__main__":
    asyncio.run(_main())
