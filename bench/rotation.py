"""Rotation and compression in MB/s beside logrotate with gzip, on the same files: ``python -m bench rotation``."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

import deflate
from pydantic import ByteSize

from bench.loglines import STYLES, content
from bench.processes import our_versions, program, version_of
from bench.report import Goal, Result
from exporter.inventory.logs import LogDirectory, RotationPolicy
from remediator.tasks.log_rotation.task import LogRotation

FILE_BYTES = 16 * 1024**2
FILES = 16
ROUNDS = 3
COMMAND = "python -m bench rotation"


async def run() -> AsyncIterator[Result]:
    """MB/s by each method of rotation, and the size of what comes out, beside ``gzip -6``."""
    logrotate = logrotate_program()
    programs = versions(logrotate)
    with tempfile.TemporaryDirectory() as scratch:
        masters = _masters(Path(scratch))
        for method, peer_options in (("rename", "create"), ("copytruncate", "copytruncate")):
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs.append(await _timed(Path(scratch), masters, partial(_logrotate, logrotate, peer_options)))
                ours.append(await _timed(Path(scratch), masters, partial(_upkeeper, method)))
            megabytes = FILES * FILE_BYTES / 1e6
            yield Result(
                name=f"rotation and compression, {method}",
                ours=megabytes / median(seconds for seconds, _ in ours),
                peer=megabytes / median(seconds for seconds, _ in theirs),
                peer_name="logrotate with gzip",
                unit="MB/s",
                goal=Goal("ratio", ">=", 5),
                command=COMMAND,
                versions=programs,
                notes=[
                    f"{FILES} logs of {FILE_BYTES >> 20} MiB in the page cache, {os.cpu_count()} cores,"
                    f" median of {ROUNDS} rounds; ours is synced to disk and read back, logrotate's is not."
                ],
            )
        yield Result(
            name="size of compressed logs",
            ours=ours[0][1] / 1e6,
            peer=theirs[0][1] / 1e6,
            peer_name="gzip -6",
            unit="MB",
            goal=Goal("ratio", "<=", 1.05),
            command=COMMAND,
            versions=programs,
        )


def _masters(scratch: Path) -> list[Path]:
    masters = []
    for style in STYLES:
        masters.append(scratch / style)
        masters[-1].write_bytes(content(style, FILE_BYTES)[:FILE_BYTES])
    return masters


async def _timed(scratch: Path, masters: list[Path], rotate: Callable[[Path], object]) -> tuple[float, int]:
    """Seconds that a rotation of fresh logs took, and bytes of its compressed files."""
    directory = scratch / "logs"
    directory.mkdir()
    try:
        for number in range(FILES):
            shutil.copy(masters[number % len(masters)], directory / f"app{number}.log")
        os.sync()
        start = time.perf_counter()
        await asyncio.to_thread(rotate, directory)
        seconds = time.perf_counter() - start
        packed = list(directory.glob("*.gz"))
        if len(packed) != FILES:
            raise RuntimeError(f"{len(packed)} of {FILES} logs were rotated and compressed")
        return seconds, sum(path.stat().st_size for path in packed)
    finally:
        shutil.rmtree(directory)


def _logrotate(logrotate: str, option: str, directory: Path) -> None:
    config = directory.parent / "logrotate.conf"
    config.write_text(f"{directory}/*.log {{\n  size 1\n  rotate 5\n  compress\n  {option}\n}}\n")
    config.chmod(0o644)
    subprocess.run([logrotate, "--state", str(directory.parent / "state"), str(config)], check=True)


def _upkeeper(method: str, directory: Path) -> None:
    rotation = RotationPolicy.model_validate({"max_file_bytes": 1024, "method": method})
    target = LogDirectory(name="bench", path=str(directory), max_bytes=ByteSize(2**40), rotation=rotation)
    task = LogRotation([target])

    async def all_actions() -> None:
        for action in (await task.plan("bench")).actions:
            await task.apply("bench", action)

    asyncio.run(all_actions())


def logrotate_program() -> str:
    """Its path. Raises Skipped where it or gzip is not installed."""
    program("gzip", "gzip")
    return shutil.which("logrotate", path="/usr/sbin:/sbin") or program("logrotate", "logrotate")


def versions(logrotate: str) -> Mapping[str, str]:
    """Versions of the programs that take part."""
    return {
        **our_versions(),
        "deflate": deflate.__version__,
        "logrotate": version_of(logrotate, "--version"),
        "gzip": version_of("gzip", "--version"),
    }
