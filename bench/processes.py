"""The servers that a benchmark measures: real processes on loopback, ended with the block that started them."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.report import Skipped
from exporter import __version__

UPKEEPER: Sequence[str] = (sys.executable, "-m", "upkeeper.main")

_READY_SECONDS = 30.0
_END_SECONDS = 15.0


def program(name: str, package: str) -> str:
    """The path of a program on PATH. Raises Skipped that names the Debian package which has it."""
    path = shutil.which(name)
    if path is None:
        raise Skipped(f"{name} is not on PATH (Debian package {package})")
    return path


def version_of(*command: str) -> str:
    """The first thing like a version number that the command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def our_versions() -> dict[str, str]:
    """Upkeeper and the Python that it runs on."""
    return {"upkeeper": __version__, "Python": sys.version.split()[0]}


@contextmanager
def running(
    command: Sequence[object], ready: str, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[psutil.Process]:
    """The command in the background once the URL ``ready`` answers 200.

    Raises RuntimeError with the end of its output when it ends before or takes too long.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env
        )
    try:
        _wait_until_ready(process, ready, log)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            state = "did not answer" if process.poll() is None else f"ended with status {process.returncode}"
            raise RuntimeError(f"{process.args!r} {state}:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time that the process has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def file_system(path: Path) -> str:
    """The type of the file system that a path is on."""
    resolved = path.resolve()
    mounts = [part for part in psutil.disk_partitions(all=True) if resolved.is_relative_to(part.mountpoint)]
    return str(max(mounts, key=lambda part: len(part.mountpoint)).fstype) if mounts else "unknown"


def fsync_seconds(directory: Path, count: int = 50) -> float:
    """The median time that the disk takes to make 4 KiB durable: the floor of anything that is stored."""
    times = []
    path = directory / "fsync"
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(b"\0" * 4096)
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    path.unlink()
    return sorted(times)[count // 2]
