"""What was learnt of Neo4j servers, as metric families."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)

from exporter.neo4j.objects import INDEX_STATES, Database, Index, Server

MAX_INDEXES = 100
"""How many indexes of a database have series of their own: those that are not online first, then by name."""

_MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """A configured server with what was learnt of it."""

    name: str
    index_population_max: float
    """Seconds."""
    server: Server | None
    """None while it is down."""
    since: Mapping[tuple[str, str], float]
    """Unix seconds since when an index, by database and name, was seen in its state; of those that are not online."""


def families(seen: Iterable[Seen]) -> Sequence[Metric]:
    """Every family, with or without samples."""
    made = _Families()
    for each in seen:
        made.add(each)
    return made.all


class _Families:
    def __init__(self) -> None:
        self.all: list[Metric] = []
        self._up = self._gauge("up", "Whether the Neo4j server answers.", "server")
        self._info = InfoMetricFamily("upkeeper_neo4j", "Version and edition of the server.", labels=["server"])
        self.all.append(self._info)
        of_server, of_database = ("server",), ("server", "database")
        self._heap_used = self._gauge("heap_used_bytes", "Java heap in use.", *of_server)
        self._heap_max = self._gauge("heap_max_bytes", "Limit of the Java heap.", *of_server)
        self._cache_max = self._gauge(
            "page_cache_max_bytes", "Size of the page cache; absent where it is left to the server.", *of_server
        )
        self._cache_hit = self._gauge(
            "page_cache_hit_ratio", "Reads of pages that the page cache served; Enterprise only.", *of_server
        )
        self._cache_usage = self._gauge(
            "page_cache_usage_ratio", "Share of the page cache in use; Enterprise only.", *of_server
        )
        self._population_max = self._gauge(
            "index_population_max_seconds", "How long an index may be populated.", *of_server
        )
        self._online = self._gauge("database_online", "Whether the database is online.", *of_database)
        self._requested = self._gauge(
            "database_requested_online", "Whether the database should be online: nobody has stopped it.", *of_database
        )
        self._nodes = self._gauge("nodes", "Nodes in the database.", *of_database)
        self._relationships = self._gauge("relationships", "Relationships in the database.", *of_database)
        self._store = self._gauge("store_bytes", "Size of the database's store.", *of_database)
        self._logs = self._gauge("transaction_log_bytes", "Size of the database's transaction logs.", *of_database)
        self._transactions = self._gauge("transactions", "Open transactions, without Upkeeper's own.", *of_database)
        self._oldest = self._gauge(
            "oldest_transaction_start_timestamp_seconds", "When the oldest open transaction began.", *of_database
        )
        self._indexes = self._gauge("indexes", "Indexes of the database by their state.", *of_database, "state")
        of_index = (*of_database, "index")
        self._state = StateSetMetricFamily(
            "upkeeper_neo4j_index_state",
            f"State of the index; {MAX_INDEXES} a database at most, those that are not online first.",
            labels=of_index,
        )
        self.all.append(self._state)
        self._since = self._gauge(
            "index_state_since_timestamp_seconds",
            "Since when the exporter has seen an index that is not online in its state.",
            *of_index,
        )
        self._population = self._gauge("index_population_ratio", "How much of the index is populated.", *of_index)
        self._reads = CounterMetricFamily(
            "upkeeper_neo4j_index_reads", "Reads of the index since the server tracks them.", labels=of_index
        )
        self.all.append(self._reads)
        self._last_read = self._gauge(
            "index_last_read_timestamp_seconds", "When the index was last read; absent if not yet.", *of_index
        )
        self._tracked = self._gauge(
            "index_tracked_since_timestamp_seconds", "Since when the server tracks reads of the index.", *of_index
        )

    def _gauge(self, name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"upkeeper_neo4j_{name}", documentation, labels=labels)
        self.all.append(family)
        return family

    def add(self, seen: Seen) -> None:
        labels = [seen.name]
        self._up.add_metric(labels, seen.server is not None)
        self._population_max.add_metric(labels, seen.index_population_max)
        server = seen.server
        if server is None:
            return
        if server.version is not None:
            self._info.add_metric(labels, {"version": server.version, "edition": server.edition or ""})
        memory = server.memory
        _add(self._heap_used, labels, memory.heap_used)
        _add(self._heap_max, labels, memory.heap_max)
        _add(self._cache_max, labels, memory.page_cache_max)
        _add(self._cache_hit, labels, memory.page_cache_hit_ratio)
        _add(self._cache_usage, labels, memory.page_cache_usage_ratio)
        for database in server.databases:
            self._add_database([seen.name, database.name], database)
            for index in shown_indexes(database.indexes or ()):
                self._add_index(
                    [seen.name, database.name, shown_name(index.name)],
                    index,
                    seen.since.get((database.name, index.name)),
                )

    def _add_database(self, labels: Sequence[str], database: Database) -> None:
        self._online.add_metric(labels, database.online)
        self._requested.add_metric(labels, database.requested_online)
        _add(self._nodes, labels, database.nodes)
        _add(self._relationships, labels, database.relationships)
        _add(self._store, labels, database.store_bytes)
        _add(self._logs, labels, database.transaction_log_bytes)
        _add(self._transactions, labels, database.transactions)
        _add(self._oldest, labels, database.oldest_transaction)
        if database.indexes is None:
            return
        for state in INDEX_STATES:
            count = sum(index.state == state for index in database.indexes)
            self._indexes.add_metric([*labels, state], count)

    def _add_index(self, labels: Sequence[str], index: Index, since: float | None) -> None:
        self._state.add_metric(labels, {state: state == index.state for state in INDEX_STATES})
        _add(self._since, labels, since)
        _add(self._population, labels, index.population)
        if index.reads is not None:
            self._reads.add_metric(labels, index.reads)
        _add(self._last_read, labels, index.last_read)
        _add(self._tracked, labels, index.tracked_since)


def _add(family: GaugeMetricFamily, labels: Sequence[str], value: float | None) -> None:
    if value is not None:
        family.add_metric(labels, value)


def shown_indexes(indexes: Iterable[Index]) -> Sequence[Index]:
    """Those that have series of their own."""
    return sorted(indexes, key=lambda index: (index.state == "online", index.name))[:MAX_INDEXES]


def shown_name(name: str) -> str:
    """A name as a label, which a name of any length would burden. Two names never become one."""
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}~{sha256(name.encode()).hexdigest()[:12]}"
