"""The WAL archive of PostgreSQL servers as metric families. Pure."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, Metric

from exporter.postgres.gauges import PREFIX, by_server
from exporter.postgres.rows import Reading


def of_archive(up: Sequence[Reading]) -> Iterator[Metric]:
    """Families of the servers that are up; without samples of those that do not archive."""
    for name, column, text in (
        ("archived", "archived", "WAL files that were archived."),
        ("archive_failed", "failed", "Tries to archive a WAL file that failed."),
    ):
        counter = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=["server"])
        for reading in up:
            if reading.archive is not None:
                counter.add_metric([reading.server], getattr(reading.archive, column))
        yield counter
    for name, column, text in (
        ("archive_last_success_timestamp_seconds", "last_archived", "When a WAL file was last archived."),
        ("archive_last_failure_timestamp_seconds", "last_failed", "When archiving a WAL file last failed."),
        ("archive_waiting_files", "waiting", "WAL files that wait for being archived."),
        (
            "archive_waiting_since_timestamp_seconds",
            "waiting_since",
            "Since when the oldest of them waits; absent without one.",
        ),
    ):
        yield by_server(name, text, up, lambda reading, column=column: getattr(reading.archive, column, None))
