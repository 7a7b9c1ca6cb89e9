"""Whether the next set has room. Pure, but for asking the file system."""

import os
from collections.abc import Mapping

from exporter.backups.room import room_for
from exporter.base.units import format_bytes
from remediator.model.task import TaskError


def estimate(last: Mapping[str, int], sources: Mapping[str, int | None]) -> dict[str, int]:
    """Bytes that each member will take, by its key: as in the last set, else what its source takes, else nothing."""
    return {key: last.get(key, size or 0) for key, size in sources.items()}


def require(path: str, needed: int) -> None:
    """Raises TaskError where the file system of a directory has no room for so many bytes, and OSError."""
    at = os.statvfs(path)
    free = at.f_bavail * at.f_frsize
    wanted = room_for(needed)
    if free < wanted:
        raise TaskError(
            f"the next set takes about {format_bytes(needed)}, and {path} has {format_bytes(free)} free: "
            f"make room for {format_bytes(wanted)}, or remove old sets"
        )
