"""What can be full, and the queries that tell how it was used. Whatever has a limit has it as a metric beside it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from remediator.forecast.row import Unit

Place = Literal["docker", "postgres"]


class Kind(NamedTuple):
    """One kind of sink. A sink's name is the kind's and the values of the labels that tell it from others.

    used: the highest of each hour, by job, instance and labels. limit: that of now, alike; empty without one.
    room: what both tell is what is free, and what must be. place: what tells on which file system it lies, whose free
    space is its limit.
    """

    name: str
    labels: Sequence[str]
    used: str
    limit: str = ""
    unit: Unit = "bytes"
    room: bool = False
    place: Place | None = None


def _of(labels: str, expression: str, how: str = "max") -> str:
    return f"{how} by (job, instance{', ' if labels else ''}{labels}) ({expression})"


_SAME = "on (job, instance, device, mountpoint, fstype)"
_WRITABLE = f"unless {_SAME} upkeeper_filesystem_readonly == 1"

KINDS: Sequence[Kind] = (
    Kind(
        "filesystem",
        ("mountpoint",),
        _of(
            "mountpoint",
            "upkeeper_filesystem_size_bytes - min_over_time(upkeeper_filesystem_avail_bytes[1h]) " + _WRITABLE,
        ),
        _of("mountpoint", f"upkeeper_filesystem_size_bytes {_WRITABLE}"),
    ),
    Kind(
        "inodes",
        ("mountpoint",),
        _of("mountpoint", f"upkeeper_filesystem_files - min_over_time(upkeeper_filesystem_files_free[1h]) {_WRITABLE}"),
        _of("mountpoint", f"upkeeper_filesystem_files {_WRITABLE}"),
        unit="files",
    ),
    Kind(
        "memory",
        (),
        _of("", "upkeeper_host_memory_total_bytes - min_over_time(upkeeper_host_memory_available_bytes[1h])"),
        _of("", "upkeeper_host_memory_total_bytes"),
    ),
    Kind(
        "logs",
        ("directory",),
        _of("directory", "max_over_time(upkeeper_log_allocated_bytes[1h])"),
        _of("directory", "upkeeper_log_max_bytes"),
    ),
    Kind(
        "backup",
        ("backup",),
        _of("backup", "min_over_time(upkeeper_backup_room_bytes[1h])", "min"),
        _of("backup", "upkeeper_backup_next_size_max_bytes"),
        room=True,
    ),
    Kind("docker", (), _of("", "max_over_time(upkeeper_docker_usage_bytes[1h])", "sum"), place="docker"),
    Kind(
        "database",
        ("server", "datname"),
        _of("server, datname", "max_over_time(upkeeper_postgres_database_size_bytes[1h])"),
        place="postgres",
    ),
    Kind("wal", ("server",), _of("server", "max_over_time(upkeeper_postgres_wal_bytes[1h])"), place="postgres"),
    Kind("sqlite", ("database",), _of("database", "max_over_time(upkeeper_sqlite_size_bytes[1h])")),
    Kind(
        "neo4j",
        ("server", "database"),
        _of("server, database", "max_over_time(upkeeper_neo4j_store_bytes[1h])"),
    ),
)

AVAILABLE = _of("mountpoint", "upkeeper_filesystem_avail_bytes", "min")
"""Bytes that are free now, by mount point."""
EXPORTERS = "group by (job, instance) (upkeeper_build_info)"
BOOTS = "max by (job, instance) (upkeeper_host_boot_timestamp_seconds)"
"""Tells exporters of different hosts apart."""
