"""The rows of file systems and log directories on the dashboard of the host."""

from scripts.dashboards.board import Row
from scripts.dashboards.looks import OVER_LIMIT, YES_IS_BAD, YES_IS_GOOD, YES_OR_NO, Json
from scripts.dashboards.panels import Column, Query, gauges, series, table

USED = "(1 - upkeeper_filesystem_avail_bytes / upkeeper_filesystem_size_bytes)"


def rows() -> tuple[Row, ...]:
    """Each with its panels."""
    return (Row("File systems", _disks()), Row("Log directories", _logs()))


def _disks() -> list[Json]:
    warn, critical = "upkeeper_filesystem_warn_used_ratio", "upkeeper_filesystem_critical_used_ratio"
    where = {"mountpoint": "Mounted on", "device": "Device", "fstype": "Kind"}
    return [
        series(
            "Used",
            Query(f"max by (mountpoint) ({USED})", "{{mountpoint}}"),
            Query(f"min({warn})", "lowest warning", limit=True, colour="orange"),
            Query(f"min({critical})", "lowest critical", limit=True),
            unit="percentunit",
            about="A file system can have limits of its own: the table has them.",
            min=0,
            max=1,
        ),
        series(
            "Files, of what fits",
            Query(
                "max by (mountpoint) (1 - upkeeper_filesystem_files_free / upkeeper_filesystem_files)", "{{mountpoint}}"
            ),
            unit="percentunit",
            about="Inodes. File systems without such a limit are missing.",
            min=0,
            max=1,
        ),
        series(
            "Free",
            Query("min by (mountpoint) (upkeeper_filesystem_avail_bytes)", "{{mountpoint}}"),
            unit="bytes",
            about="For users other than root.",
            min=0,
        ),
        table(
            "File systems",
            where,
            Column("Size", "upkeeper_filesystem_size_bytes", "bytes"),
            Column("Free", "upkeeper_filesystem_avail_bytes", "bytes"),
            Column("Used", USED, "percentunit"),
            Column("Warning", warn, "percentunit"),
            Column("Critical", critical, "percentunit"),
            Column("Of critical", f"{USED} / {critical}", "percentunit", steps=OVER_LIMIT),
            Column("Read-only", "upkeeper_filesystem_readonly", mappings=YES_OR_NO),
            Column("Does not answer", "upkeeper_filesystem_device_error", mappings=YES_IS_BAD),
            width=24,
        ),
    ]


def _logs() -> list[Json]:
    size, most = "upkeeper_log_allocated_bytes", "upkeeper_log_max_bytes"
    oldest = "upkeeper_log_oldest_unrotated_timestamp_seconds"
    return [
        gauges(
            "Log directories, of their limit",
            Query(f"max by (directory) ({size} / on (instance, directory) {most})", "{{directory}}"),
            width=8,
        ),
        table(
            "Log directories",
            {"directory": "Directory"},
            Column("Readable", "upkeeper_log_directory_up", mappings=YES_IS_GOOD),
            Column("On disk", size, "bytes"),
            Column("Limit", most, "bytes"),
            Column("Apparent", "upkeeper_log_apparent_bytes", "bytes"),
            Column("Files", "upkeeper_log_files"),
            Column("Oldest unrotated", f"time() - {oldest}", "s"),
            about="Oldest unrotated: how long ago the log was written to that waits longest for its rotation.",
            width=16,
        ),
    ]
