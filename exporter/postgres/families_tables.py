"""Tables, indexes and vacuums of PostgreSQL servers as metric families. Pure."""

from collections.abc import Sequence

from exporter.base.families import Families
from exporter.postgres.rows import ServerReading, Table

MAX_TABLES = 200
"""Tables of a server that are shown, those with the most dead rows first, however many databases it has."""


def of_tables(made: Families, up: Sequence[ServerReading]) -> None:
    """Families of the servers that are up."""
    labels = ["datname", "relname"]
    tables = [(labels_of, table) for reading in up for labels_of, table in _worst(reading)]
    for name, column, text in (
        ("table_live_tuples", "live", "Live rows of one of the worst tables, as the server estimates them."),
        ("table_dead_tuples", "dead", "Dead rows of one of the worst tables, as the server estimates them."),
        ("table_size_bytes", "bytes", "Size of the table alone, as of its last vacuum or analyze."),
        (
            "table_bloat_bytes_estimate",
            "bloat",
            "Estimated bytes of the table that its rows do not need, as of its last vacuum or analyze.",
        ),
        (
            "last_vacuum_timestamp_seconds",
            "last_vacuum",
            "When the table was last vacuumed, by autovacuum or manually; absent if never.",
        ),
        (
            "last_analyze_timestamp_seconds",
            "last_analyze",
            "When the table was last analyzed, by autovacuum or manually; absent if never.",
        ),
    ):
        made.gauge(name, text, *labels).add_all(((values, getattr(table, column)) for values, table in tables))
    indexes = [
        ([reading.server, name, index.name], index)
        for reading in up
        for name, details in reading.details.items()
        for index in details.indexes
    ]
    made.gauge(
        "index_invalid", "1 for an index that the server does not use because building it failed.", *labels
    ).add_all(
        ((values, 1) for values, index in indexes if not index.valid),
    )
    made.gauge(
        "index_unused_bytes",
        "Size of one of the largest indexes that no query has used since the statistics were reset.",
        *labels,
    ).add_all(
        ((values, index.bytes) for values, index in indexes if index.valid),
    )
    _of_vacuums(made, up)


def _worst(reading: ServerReading) -> list[tuple[list[str], Table]]:
    found = [
        ([reading.server, name, table.name], table)
        for name, details in reading.details.items()
        for table in details.tables
    ]
    return sorted(found, key=lambda entry: entry[1].dead, reverse=True)[:MAX_TABLES]


def _of_vacuums(made: Families, up: Sequence[ServerReading]) -> None:
    running: dict[tuple[str, str, str], int] = {}
    scanned: dict[tuple[str, str, str], float] = {}
    for reading in up:
        names = {
            (database, table.oid): table.name
            for database, details in reading.details.items()
            for table in details.tables
        }
        for vacuum in reading.vacuums or ():
            key = (reading.server, vacuum.database, vacuum.phase or "unknown")
            running[key] = running.get(key, 0) + 1
            name = names.get((vacuum.database, vacuum.relation or 0))
            if name is not None and vacuum.blocks and vacuum.scanned is not None:
                scanned[reading.server, vacuum.database, name] = vacuum.scanned / vacuum.blocks
    made.gauge("vacuums", "Vacuums that are running.", "datname", "phase").add_all(
        (key, running[key]) for key in running
    )
    made.gauge(
        "vacuum_scanned_ratio",
        "Share of the table that the running vacuum has scanned, if it is one of the worst tables.",
        "datname",
        "relname",
    ).add_all(
        ((key, scanned[key]) for key in scanned),
    )
