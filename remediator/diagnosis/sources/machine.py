"""This machine and what is installed on it."""

import asyncio
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psutil

from exporter import __version__
from exporter.base.text import format_time
from remediator.diagnosis.part import Part
from remediator.evidence.processes import top_processes

PROGRAMS = (
    "docker", "docker-compose", "prometheus", "alertmanager", "promtool", "amtool", "pg_dump", "restic", "age", "trivy",
    "grype", "systemctl", "journalctl", "apt-get", "dnf", "brew",
)  # fmt: skip
"""What one of our parts would use where it is there."""


def machine_parts(state_dir: Path) -> Sequence[Part]:
    async def host() -> dict[str, Any]:
        return await asyncio.to_thread(_host, state_dir)

    async def versions() -> dict[str, Any]:
        return await asyncio.to_thread(_versions)

    async def processes() -> str:
        return "".join(f"{line}\n" for line in await top_processes())

    async def state() -> str:
        return await asyncio.to_thread(_listing, state_dir)

    return [
        Part("versions.json", versions),
        Part("host/host.json", host),
        Part("host/processes.txt", processes),
        Part("state/files.txt", state),
    ]


def _versions() -> dict[str, Any]:
    return {
        "upkeeper": __version__,
        "python": sys.version,
        "libraries": {one.name: one.version for one in sorted(distributions(), key=lambda one: one.name.lower())},
        "programs": {name: shutil.which(name) for name in PROGRAMS},
    }


def _host(state_dir: Path) -> dict[str, Any]:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "system": platform.uname()._asdict(),
        "time": format_time(time.time()),
        "timezone": list(time.tzname),
        "booted": format_time(psutil.boot_time()),
        "user": os.geteuid(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "memory": {"total_bytes": memory.total, "available_bytes": memory.available},
        "swap": {"total_bytes": swap.total, "used_bytes": swap.used},
        "file_systems": [_room(path) for path in ("/", str(state_dir))],
    }


def _room(path: str) -> dict[str, Any]:
    try:
        found = os.statvfs(path)
    except OSError as error:
        return {"path": path, "problem": str(error.strerror)}
    return {
        "path": path,
        "size_bytes": found.f_blocks * found.f_frsize,
        "available_bytes": found.f_bavail * found.f_frsize,
        "inodes": found.f_files,
        "inodes_available": found.f_favail,
    }


def _listing(state_dir: Path, most: int = 500) -> str:
    """The names, sizes and modes of what is in the state directory, two levels deep. Raises OSError."""
    state_dir.stat()
    lines = []
    for path in sorted([*state_dir.glob("*"), *state_dir.glob("*/*")])[:most]:
        try:
            found = path.lstat()
        except OSError:
            continue
        lines.append(f"{found.st_mode:o} {found.st_uid} {found.st_size:>12} {path.relative_to(state_dir)}\n")
    return "".join(lines)
