"""Readings of PostgreSQL servers as metric families. Pure."""

from collections.abc import Callable, Sequence

from prometheus_client.core import Metric

from exporter.base.families import Families
from exporter.postgres.by_server import by_server
from exporter.postgres.families_archive import of_archive
from exporter.postgres.families_tables import of_tables
from exporter.postgres.rows import Activity, ServerReading

PREFIX = "upkeeper_postgres"

STATES = (
    "active", "idle", "idle in transaction", "idle in transaction (aborted)", "fastpath function call", "disabled",
    "starting", "unknown",
)  # fmt: skip
"""Of connections. ``starting`` is there from 18 on; ``unknown`` are those of others, without pg_monitor."""

WAL_STATES = ("reserved", "extended", "unreserved", "lost")
"""Of what a replication slot needs: within the server's limits, beyond max_wal_size, soon to be removed, removed."""

_FAILSAFE_AGE = 1_600_000_000
"""Default of vacuum_failsafe_age; at 2.1 billion a server takes no more transactions."""


def families(readings: Sequence[ServerReading]) -> list[Metric]:
    """Every family, without samples where nothing is known."""
    up = [reading for reading in readings if reading.facts is not None]
    made = Families(PREFIX, "server")
    _of_server(made, readings, up)
    _of_databases(made, up)
    _of_replication(made, up)
    of_archive(made, up)
    of_tables(made, up)
    _limits(made, readings)
    return made.all


def _of_server(made: Families, readings: Sequence[ServerReading], up: Sequence[ServerReading]) -> None:
    def fact(name: str) -> Callable[[ServerReading], float | None]:
        return lambda reading: getattr(reading.facts, name)

    by_server(made, "up", "Whether the server answers.", readings, lambda reading: reading.facts is not None)
    info = made.info("Version of the server.")
    for reading in up:
        if reading.facts is not None:
            info.add([reading.server], {"version": reading.facts.version})
    by_server(made, "start_timestamp_seconds", "When the server was started.", up, fact("started"))
    by_server(made, "in_recovery", "Whether the server is a standby, or in recovery.", up, fact("in_recovery"))
    made.gauge(
        "connections",
        "Client connections by state. Those of other users are unknown without pg_monitor.",
        "state",
    ).add_all(
        (
            ([reading.server, state], count)
            for reading in up
            for state, count in _connections(reading.activity or ()).items()
        ),
    )
    by_server(made, "max_connections", "Connections that the server allows.", up, fact("max_connections"))
    by_server(
        made,
        "reserved_connections",
        "Connections that only superusers and roles with pg_use_reserved_connections may open.",
        up,
        fact("reserved_connections"),
    )
    by_server(
        made,
        "lock_waiting_connections",
        "Client connections that wait for a lock.",
        up,
        lambda reading: None if reading.activity is None else sum(entry.waiting for entry in reading.activity),
    )
    by_server(made, "wal_bytes", "Size of the write-ahead log on disk.", up, lambda reading: reading.wal_bytes)


def _connections(activity: Sequence[Activity]) -> dict[str, int]:
    counted = dict.fromkeys(STATES, 0) if activity else {}
    for entry in activity:
        counted[entry.state if entry.state in counted else "unknown"] += entry.connections
    return counted


def _of_databases(made: Families, up: Sequence[ServerReading]) -> None:
    every = [(reading, database) for reading in up for database in reading.databases or ()]
    measured = [(reading, database) for reading, database in every if database.name in reading.measured]
    made.gauge("database_size_bytes", "Size of the database on disk.", "datname").add_all(
        (([reading.server, name], size) for reading in up for name, size in reading.sizes.items()),
    )
    made.gauge(
        "xid_age_transactions",
        "Transactions since the oldest row of the database that is not frozen. Templates count too.",
        "datname",
    ).add_all(
        (([reading.server, database.name], database.xid_age) for reading, database in every),
    )
    made.gauge(
        "multixact_age",
        "Multixacts since the oldest one that the database may still hold. Templates count too.",
        "datname",
    ).add_all(
        (([reading.server, database.name], database.multixact_age) for reading, database in every),
    )
    made.gauge(
        "collation_mismatches",
        "Collations in use whose version differs from the recorded one: text may be sorted differently from indexes.",
        "datname",
    ).add_all(
        (([reading.server, name], count) for reading in up for name, count in _mismatches(reading).items()),
    )
    for name, column, text in (
        (
            "extension_updates_pending",
            "extensions",
            "Extensions installed in another version than the server's files would install now.",
        ),
        (
            "tables_without_statistics",
            "without_statistics",
            "Tables of 1 MiB or more that the planner has no statistics of, as after an upgrade.",
        ),
    ):
        made.gauge(name, text, "datname").add_all(
            ([reading.server, datname], getattr(details, column))
            for reading in up
            for datname, details in reading.details.items()
        )
    for name, column, text in (
        ("deadlocks", "deadlocks", "Deadlocks detected."),
        ("blocks_hit", "blocks_hit", "Blocks found in the server's cache."),
        ("blocks_read", "blocks_read", "Blocks read from outside of the server's cache."),
    ):
        made.counter(name, text, "datname").add_all(
            ([reading.server, database.name], getattr(database, column)) for reading, database in measured
        )
    made.gauge(
        "oldest_transaction_start_timestamp_seconds",
        "Start of the oldest open or prepared client transaction; absent without one.",
        "datname",
    ).add_all(
        (([reading.server, name], start) for reading in up for name, start in _oldest(reading.activity or ()).items()),
    )


def _mismatches(reading: ServerReading) -> dict[str, int]:
    found = {name: int(differs) for name, differs in reading.default_collations.items()}
    for name, details in reading.details.items():
        if details.collations is not None:
            found[name] = found.get(name, 0) + details.collations
    return found


def _oldest(activity: Sequence[Activity]) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in activity:
        if entry.oldest_transaction is not None:
            found[entry.database] = min(entry.oldest_transaction, found.get(entry.database, float("inf")))
    return found


def _of_replication(made: Families, up: Sequence[ServerReading]) -> None:
    standbys = [(reading, standby) for reading in up for standby in reading.standbys or ()]
    slots = [(reading, slot) for reading in up for slot in reading.slots or ()]
    made.gauge(
        "replication_lag_bytes",
        "WAL that the standby or subscriber, by its application_name, has not yet replayed.",
        "standby",
    ).add_all(
        (([reading.server, standby.name], standby.lag_bytes) for reading, standby in standbys),
    )
    made.gauge(
        "replication_lag_seconds", "How long the last change took until the standby had replayed it.", "standby"
    ).add_all(
        (([reading.server, standby.name], standby.lag_seconds) for reading, standby in standbys),
    )
    made.gauge("slot_active", "Whether the replication slot has a consumer.", "slot").add_all(
        (([reading.server, slot.name], slot.active) for reading, slot in slots),
    )
    made.gauge("slot_retained_bytes", "WAL that the replication slot keeps from being removed.", "slot").add_all(
        (([reading.server, slot.name], slot.retained_bytes) for reading, slot in slots),
    )
    status = made.states(
        "slot_wal_status",
        "Whether the WAL that the slot needs exists; with lost, its consumer cannot continue.",
        WAL_STATES,
        "slot",
    )
    for reading, slot in slots:
        status.add([reading.server, slot.name], slot.wal_status)
    standing = [(reading, reading.recovery) for reading in up if reading.recovery is not None]
    for name, column, text in (
        ("wal_receivers", "receivers", "On a standby: connections to its primary; 0 when it is disconnected."),
        (
            "last_replayed_transaction_timestamp_seconds",
            "last_replayed",
            "On a standby: commit time, at the primary, of the last transaction that was replayed.",
        ),
        ("replay_pending_bytes", "pending_bytes", "On a standby: WAL that was received but not replayed yet."),
    ):
        made.gauge(name, text).add_all(
            (([reading.server], getattr(recovery, column)) for reading, recovery in standing)
        )


def _limits(made: Families, readings: Sequence[ServerReading]) -> None:
    for name, column, text in (
        ("xid_freeze_max_age_transactions", "freeze_max_age", "The server's autovacuum_freeze_max_age."),
        ("multixact_freeze_max_age", "multixact_freeze_max_age", "The server's autovacuum_multixact_freeze_max_age."),
    ):
        by_server(made, name, text, readings, lambda reading, column=column: getattr(reading.facts, column, None))
    for name, column, text in (
        ("xid_age_max_transactions", "freeze_max_age", "Age in transactions from which vacuum has fallen behind."),
        ("multixact_age_max", "multixact_freeze_max_age", "Age in multixacts from which vacuum has fallen behind."),
    ):
        by_server(
            made,
            name,
            f"{text} freeze_age_ratio times the server's own maximum, at most 1.6 billion.",
            readings,
            lambda reading, column=column: _max_age(reading, getattr(reading.facts, column, None)),
        )
    for name, column, text in (
        (
            "connections_max_used_ratio",
            "connections_used_ratio",
            "Used share of the connections from which there are too few left.",
        ),
        ("transaction_max_age_seconds", "transaction_max_age", "How long a transaction may be open."),
        ("table_max_dead_ratio", "dead_tuples_ratio", "Dead share of a table's rows from which it needs vacuum."),
        ("table_min_dead_tuples", "dead_tuples_min", "Dead rows below which no table needs vacuum."),
        ("slot_max_retained_bytes", "slot_retained_bytes", "WAL that a replication slot may retain."),
        ("archive_max_wait_seconds", "archive_max_wait", "How long a WAL file may wait to be archived."),
    ):
        by_server(made, name, text, readings, lambda reading, column=column: float(getattr(reading.limits, column)))


def _max_age(reading: ServerReading, setting: int | None) -> float | None:
    return None if setting is None else min(reading.limits.freeze_age_ratio * setting, _FAILSAFE_AGE)
