"""Programs made for a test, on a PATH of its own."""

from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest


def script(directory: Path, name: str, body: str) -> Path:
    """An executable shell script of that name."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def path_first(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Programs in this directory come before those of the system."""
    monkeypatch.setenv("PATH", f"{directory}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def alive(pids: Iterable[int]) -> list[int]:
    """Those of the processes that still run."""
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found


HANG = """
sleep 1000 & echo $! >> {pids}
(sleep 1000 & echo $! >> {pids}; wait) & echo $! >> {pids}
echo $$ >> {pids}
wait"""
"""Body of a script that never ends, with a child and a grandchild; ``{pids}`` then lists four processes."""
