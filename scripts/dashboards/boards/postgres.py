"""The rows of PostgreSQL on the dashboard of the databases."""

from scripts.dashboards.board import Row
from scripts.dashboards.looks import UP, YES_IS_BAD, YES_IS_GOOD, YES_OR_NO, Json
from scripts.dashboards.panels import Column, Query, info, series, states, table

P = "upkeeper_postgres_"
OF_SERVER = "on (instance, server) group_left ()"
"""How a figure of a database, table or slot finds the limit that its server has."""
OPEN = f"(time() - {P}oldest_transaction_start_timestamp_seconds)"
DEAD = f"{P}table_dead_tuples / ({P}table_live_tuples + {P}table_dead_tuples)"
DURING = "[$__rate_interval]"
SERVER, DATABASE = "{{server}}", "{{server}} {{datname}}"


def rows() -> tuple[Row, ...]:
    """Each with its panels."""
    return (
        Row("PostgreSQL: servers", _servers()),
        Row("PostgreSQL: databases", _databases()),
        Row("PostgreSQL: tables and vacuum", _tables()),
        Row("PostgreSQL: replication", _replication()),
    )


def _limit(metric: str, legend: str = "{{server}} limit") -> Query:
    return Query(f"max by (server) ({P}{metric})", legend, limit=True)


def _servers() -> list[Json]:
    used = f"sum by (instance, server) ({P}connections)"
    free = f"({P}max_connections - {P}reserved_connections)"
    return [
        states("Answers", Query(f"min by (server) ({P}up)", SERVER), UP),
        table(
            "Servers",
            {"server": "Server"},
            Column("Answers", f"{P}up", mappings=UP),
            info(f"{P}info", {"version": "Version"}),
            Column("Started", f"{P}start_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Standby", f"{P}in_recovery", mappings=YES_OR_NO),
            Column("Connections allowed", f"{P}max_connections"),
            Column("of them reserved", f"{P}reserved_connections"),
        ),
        series(
            "Connections by state",
            Query(f"sum by (server, state) ({P}connections)", "{{server}} {{state}}"),
            style="stacked",
        ),
        series(
            "Connections, of those allowed",
            Query(f"max by (server) ({used} / on (instance, server) {free})", SERVER),
            _limit("connections_max_used_ratio"),
            unit="percentunit",
            about="Without those that are reserved for superusers.",
            min=0,
            max=1,
        ),
        series("Connections that wait for a lock", Query(f"max by (server) ({P}lock_waiting_connections)", SERVER)),
    ]


def _databases() -> list[Json]:
    hit, read = (f"sum by (server, datname) (rate({P}blocks_{kind}_total{DURING}))" for kind in ("hit", "read"))

    def frozen(title: str, age: str, most: str, about: str) -> Json:
        ratio = f"max by (server, datname) ({P}{age} / {OF_SERVER} {P}{most})"
        return series(title, Query(ratio, DATABASE), unit="percentunit", about=about, min=0)

    return [
        series(
            "Oldest open transaction",
            Query(f"max by (server, datname) ({OPEN})", DATABASE),
            _limit("transaction_max_age_seconds"),
            unit="s",
            about="Nothing that died since it began can be vacuumed.",
        ),
        series(
            "Size", Query(f"max by (server, datname) ({P}database_size_bytes)", DATABASE), unit="bytes", style="stacked"
        ),
        series(
            "Found in the cache",
            Query(f"{hit} / ({hit} + {read})", DATABASE),
            unit="percentunit",
            about="Part of the blocks that the server had in its own cache.",
            max=1,
        ),
        frozen(
            "Age of rows, of the limit",
            "xid_age_transactions",
            "xid_age_max_transactions",
            "Over 100 %, vacuum has fallen behind. The limit is freeze_age_ratio of the server's own.",
        ),
        frozen(
            "Age of multixacts, of the limit",
            "multixact_age",
            "multixact_age_max",
            "Like the age of rows, for locks that several transactions hold.",
        ),
        series(
            "Deadlocks",
            Query(f"sum by (server, datname) (increase({P}deadlocks_total{DURING}))", DATABASE),
            style="bars",
        ),
    ]


def _tables() -> list[Json]:
    names = {"server": "Server", "datname": "Database", "relname": "Table"}
    table_of = "{{server}} {{datname}} {{relname}}"
    share = f"{DEAD} > bool {OF_SERVER} {P}table_max_dead_ratio"
    count = f"{P}table_dead_tuples >= bool {OF_SERVER} {P}table_min_dead_tuples"
    return [
        series(
            "Dead rows, of all",
            Query(f"max by (server, datname, relname) ({DEAD})", table_of),
            _limit("table_max_dead_ratio"),
            unit="percentunit",
            about="Of the worst tables. Autovacuum should keep them under the limit; small tables do not matter.",
            width=12,
            min=0,
            max=1,
        ),
        series(
            "Vacuums that run",
            Query(f"sum by (server, datname, phase) ({P}vacuums)", "{{server}} {{datname}} {{phase}}"),
            style="stacked",
            width=6,
        ),
        series(
            "Scanned by the vacuum",
            Query(f"max by (server, datname, relname) ({P}vacuum_scanned_ratio)", table_of),
            unit="percentunit",
            about="Part of the table, where it is one of the worst.",
            width=6,
            min=0,
            max=1,
        ),
        table(
            "Worst tables",
            names,
            Column("Live rows", f"{P}table_live_tuples"),
            Column("Dead rows", f"{P}table_dead_tuples"),
            Column("Dead", DEAD, "percentunit"),
            Column("Needs vacuum", f"({share}) * ({count})", mappings=YES_IS_BAD),
            Column("Size", f"{P}table_size_bytes", "bytes"),
            Column("Bloat, estimated", f"{P}table_bloat_bytes_estimate", "bytes"),
            Column("Last vacuum", f"{P}last_vacuum_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Last analyze", f"{P}last_analyze_timestamp_seconds * 1000", "dateTimeAsIso"),
            about="Rows are the server's own estimates. No date: never since the statistics were reset.",
            width=24,
        ),
        table(
            "Indexes to look at",
            names | {"relname": "Index"},
            Column("Invalid", f"{P}index_invalid", mappings={1: ("yes", "red")}),
            Column("Unused, size", f"{P}index_unused_bytes", "bytes"),
            about="Invalid: building it failed, and no query uses it. Unused: since the statistics were reset.",
            width=24,
        ),
    ]


def _replication() -> list[Json]:
    standby, slot = "{{server}} {{standby}}", "{{server}} {{slot}}"
    return [
        series(
            "Standbys behind",
            Query(f"max by (server, standby) ({P}replication_lag_bytes)", standby),
            unit="bytes",
            about="As their primary sees it: WAL that is not yet replayed.",
        ),
        series(
            "Standbys behind, in time",
            Query(f"max by (server, standby) ({P}replication_lag_seconds)", standby),
            Query(
                f"max by (server) (time() - {P}last_replayed_transaction_timestamp_seconds)",
                "{{server}}: last replayed transaction",
            ),
            unit="s",
            about="On a standby, the last transaction also gets older when its primary has nothing to do.",
        ),
        series(
            "WAL",
            Query(f"max by (server) ({P}wal_bytes)", "{{server}} on disk"),
            Query(f"max by (server) ({P}replay_pending_bytes)", "{{server}} to replay"),
            unit="bytes",
            about="To replay: what a standby has received and not yet replayed.",
        ),
        series(
            "WAL that slots retain",
            Query(f"max by (server, slot) ({P}slot_retained_bytes)", slot),
            _limit("slot_max_retained_bytes"),
            unit="bytes",
            about="It grows until somebody reads the slot or the disk is full.",
        ),
        series(
            "WAL that waits to be archived",
            Query(f"max by (server) (time() - {P}archive_waiting_since_timestamp_seconds)", SERVER),
            _limit("archive_max_wait_seconds"),
            unit="s",
            about="For how long the oldest file waits. Empty where nothing waits, or the server does not archive.",
        ),
        states("Slots in use", Query(f"min by (server, slot) ({P}slot_active)", slot), YES_IS_GOOD, width=8),
        states(
            "Standby receives",
            Query(f"min by (server) ({P}wal_receivers)", SERVER),
            YES_IS_GOOD,
            "On a standby: whether it is connected to its primary.",
            width=8,
        ),
    ]
