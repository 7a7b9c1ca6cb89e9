"""How full the file system of a path is."""

import asyncio
import os
from collections.abc import Iterator

from exporter.base.units import format_bytes
from remediator.model.evidence import Source


def disk_of(path: str | os.PathLike[str], name: str = "disk") -> Source:
    """Of the file system that holds the path."""

    async def gather() -> list[str]:
        return list(_lines(os.fspath(path), await asyncio.to_thread(os.statvfs, path)))

    return Source(name, gather)


def _lines(path: str, found: os.statvfs_result) -> Iterator[str]:
    total, left = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    yield f"{path}: {format_bytes(left)} of {format_bytes(total)} left"
    if found.f_files:
        yield f"{path}: {found.f_favail} of {found.f_files} inodes left"
