"""The rows of Neo4j on the dashboard of the databases."""

from scripts.dashboards.board import Row
from scripts.dashboards.looks import UP, YES_IS_GOOD, Json
from scripts.dashboards.panels import Column, Query, coded, info, series, states, table

N = "upkeeper_neo4j_"
SERVER, DATABASE, INDEX = "{{server}}", "{{server}} {{database}}", "{{server}} {{database}} {{index}}"
INDEX_STATES = (("online", "green"), ("populating", "blue"), ("failed", "red"))


def rows() -> tuple[Row, ...]:
    """Each with its panels."""
    return (
        Row("Neo4j: servers", _servers()),
        Row("Neo4j: databases", _databases()),
        Row("Neo4j: indexes", _indexes()),
    )


def _by_database(title: str, metric: str, about: str = "", unit: str = "short") -> Json:
    return series(title, Query(f"max by (server, database) ({N}{metric})", DATABASE), unit=unit, about=about)


def _servers() -> list[Json]:
    return [
        states("Answers", Query(f"min by (server) ({N}up)", SERVER), UP),
        table(
            "Servers",
            {"server": "Server"},
            Column("Answers", f"{N}up", mappings=UP),
            info(f"{N}info", {"version": "Version", "edition": "Edition"}),
            Column("Heap", f"{N}heap_max_bytes", "bytes"),
            Column("Page cache", f"{N}page_cache_max_bytes", "bytes"),
            about="The page cache is empty where its size is left to the server.",
        ),
        series(
            "Java heap in use",
            Query(f"max by (server) ({N}heap_used_bytes)", SERVER),
            Query(f"max by (server) ({N}heap_max_bytes)", "{{server}} limit", limit=True),
            unit="bytes",
        ),
        series(
            "Page cache",
            Query(f"max by (server) ({N}page_cache_hit_ratio)", "{{server}} hits"),
            Query(f"max by (server) ({N}page_cache_usage_ratio)", "{{server}} in use"),
            unit="percentunit",
            about="Only the Enterprise edition tells.",
            min=0,
            max=1,
        ),
        _by_database("Open transactions", "transactions", "Without Upkeeper's own."),
    ]


def _databases() -> list[Json]:
    started = f"{N}oldest_transaction_start_timestamp_seconds"
    return [
        states("Online", Query(f"min by (server, database) ({N}database_online)", DATABASE), YES_IS_GOOD),
        table(
            "Databases",
            {"server": "Server", "database": "Database"},
            Column("Online", f"{N}database_online", mappings=YES_IS_GOOD),
            Column("Should be", f"{N}database_requested_online", mappings={0: ("no", "blue"), 1: ("yes", "blue")}),
            Column("Nodes", f"{N}nodes"),
            Column("Relationships", f"{N}relationships"),
            Column("Oldest transaction", f"time() - {started}", "s"),
        ),
        _by_database("Nodes", "nodes"),
        _by_database("Relationships", "relationships"),
        series(
            "Oldest open transaction",
            Query(f"max by (server, database) (time() - {started})", DATABASE),
            unit="s",
        ),
        series(
            "Space",
            Query(f"max by (server, database) ({N}store_bytes)", f"{DATABASE} store"),
            Query(f"max by (server, database) ({N}transaction_log_bytes)", f"{DATABASE} transaction logs"),
            unit="bytes",
            width=24,
        ),
    ]


def _indexes() -> list[Json]:
    state, texts = coded(f"{N}index_state", INDEX_STATES, "server, database, index")
    since, populating = f"{N}index_state_since_timestamp_seconds", f"{N}index_state"
    busy = f'{since} and on (instance, server, database, index) {populating}{{{populating}="populating"}} == 1'
    return [
        series(
            "Indexes by state",
            Query(f"sum by (server, database, state) ({N}indexes)", f"{DATABASE} {{{{state}}}}"),
            style="stacked",
        ),
        states("State", Query(state, INDEX), texts, "Of 100 a database at most, those that are not online first.", 16),
        series(
            "Population takes",
            Query(f"max by (server, database, index) (time() - ({busy}))", INDEX),
            Query(f"max by (server) ({N}index_population_max_seconds)", "{{server}} limit", limit=True),
            unit="s",
            about="How long an index that is being populated has been, as the exporter has seen it.",
        ),
        series(
            "Populated",
            Query(f"min by (server, database, index) ({N}index_population_ratio)", INDEX),
            unit="percentunit",
            min=0,
            max=1,
        ),
        series(
            "Reads",
            Query(f"sum by (server, database, index) (rate({N}index_reads_total[$__rate_interval]))", INDEX),
            unit="reqps",
        ),
        table(
            "Use of indexes",
            {"server": "Server", "database": "Database", "index": "Index"},
            Column("Reads", f"{N}index_reads_total"),
            Column("Last read", f"{N}index_last_read_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Counted since", f"{N}index_tracked_since_timestamp_seconds * 1000", "dateTimeAsIso"),
            about="An index without a last read was not read since it is counted.",
            width=24,
        ),
    ]
