"""The WAL archive of PostgreSQL servers as metric families. Pure."""

from collections.abc import Sequence

from exporter.base.families import Families
from exporter.postgres.by_server import by_server
from exporter.postgres.rows import ServerReading


def of_archive(made: Families, up: Sequence[ServerReading]) -> None:
    """Families of the servers that are up; without samples of those that do not archive."""
    for name, column, text in (
        ("archived", "archived", "WAL files that were archived."),
        ("archive_failed", "failed", "Failed attempts to archive a WAL file."),
    ):
        made.counter(name, text).add_all(([reading.server], getattr(reading.archive, column, None)) for reading in up)
    for name, column, text in (
        ("archive_last_success_timestamp_seconds", "last_archived", "When a WAL file was last archived."),
        ("archive_last_failure_timestamp_seconds", "last_failed", "When archiving a WAL file last failed."),
        ("archive_waiting_files", "waiting", "WAL files that wait to be archived."),
        (
            "archive_waiting_since_timestamp_seconds",
            "waiting_since",
            "Since when the oldest of them waits; absent without one.",
        ),
    ):
        by_server(made, name, text, up, lambda reading, column=column: getattr(reading.archive, column, None))
