"""The logs of our own processes: files that ``upkeeper up`` writes, and the journal of units named like us."""

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from exporter.base import programs
from remediator.diagnosis.part import Part

TAIL_BYTES = 256 * 1024
LINES = 1000


def log_parts(state_dir: Path) -> Sequence[Part]:
    names = _files(state_dir / "log")
    files = [Part(f"logs/{path.name}", partial(asyncio.to_thread, _tail, path), keep="end") for path in names]
    return [*files, Part("logs/journal.txt", _journal, keep="end")]


def _files(directory: Path) -> Sequence[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == ".log" and path.is_file())[:20]
    except OSError:
        return ()


def _tail(path: Path) -> str:
    """Its last whole lines. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        content = file.read(TAIL_BYTES)
    if size > TAIL_BYTES:  # half a line might begin within a secret, which nobody would then know for one
        content = content[content.find(b"\n") + 1 :]
    return content.decode(errors="replace")


async def _journal() -> str:
    command = ["journalctl", "--no-pager", "-o", "short-iso", "-n", str(LINES), "-u", "upkeeper*"]
    ended = await programs.run(command)
    if ended.status:
        raise programs.CommandFailed(f"journalctl: {ended.complaint}")
    return ended.output
