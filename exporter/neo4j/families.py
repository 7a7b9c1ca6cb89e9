"""What was learnt of Neo4j servers, as metric families."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from prometheus_client.core import Metric

from exporter.base.families import Families
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
        made = Families("upkeeper_neo4j", "server")
        self.all = made.all
        self._up = made.gauge("up", "Whether the Neo4j server answers.")
        self._info = made.info("Version and edition of the server.")
        self._heap_used = made.gauge("heap_used_bytes", "Java heap in use.")
        self._heap_max = made.gauge("heap_max_bytes", "Limit of the Java heap.")
        self._cache_max = made.gauge(
            "page_cache_max_bytes", "Configured size of the page cache; absent where the server chooses it."
        )
        self._cache_hit = made.gauge(
            "page_cache_hit_ratio", "Reads of pages that the page cache served; Enterprise only."
        )
        self._cache_usage = made.gauge("page_cache_usage_ratio", "Share of the page cache in use; Enterprise only.")
        self._population_max = made.gauge("index_population_max_seconds", "How long an index may be populated.")
        self._online = made.gauge("database_online", "Whether the database is online.", "database")
        self._requested = made.gauge(
            "database_requested_online", "Whether the database should be online, that is, was not stopped.", "database"
        )
        self._nodes = made.gauge("nodes", "Nodes in the database.", "database")
        self._relationships = made.gauge("relationships", "Relationships in the database.", "database")
        self._store = made.gauge("store_bytes", "Size of the database's store.", "database")
        self._logs = made.gauge("transaction_log_bytes", "Size of the database's transaction logs.", "database")
        self._transactions = made.gauge("transactions", "Open transactions, without Upkeeper's own.", "database")
        self._oldest = made.gauge(
            "oldest_transaction_start_timestamp_seconds", "When the oldest open transaction began.", "database"
        )
        self._indexes = made.gauge("indexes", "Indexes of the database by their state.", "database", "state")
        of_index = ("database", "index")
        self._state = made.states(
            "index_state",
            f"State of the index; {MAX_INDEXES} a database at most, those that are not online first.",
            INDEX_STATES,
            *of_index,
        )
        self._since = made.gauge(
            "index_state_since_timestamp_seconds",
            "Since when the exporter has observed an index that is not online in its state.",
            *of_index,
        )
        self._population = made.gauge("index_population_ratio", "How much of the index is populated.", *of_index)
        self._reads = made.counter("index_reads", "Reads of the index since the server tracks them.", *of_index)
        self._last_read = made.gauge(
            "index_last_read_timestamp_seconds", "When the index was last read; absent if never.", *of_index
        )
        self._tracked = made.gauge(
            "index_tracked_since_timestamp_seconds", "Since when the server tracks reads of the index.", *of_index
        )

    def add(self, seen: Seen) -> None:
        labels = [seen.name]
        self._up.add(labels, seen.server is not None)
        self._population_max.add(labels, seen.index_population_max)
        server = seen.server
        if server is None:
            return
        if server.version is not None:
            self._info.add(labels, {"version": server.version, "edition": server.edition or ""})
        memory = server.memory
        self._heap_used.add(labels, memory.heap_used)
        self._heap_max.add(labels, memory.heap_max)
        self._cache_max.add(labels, memory.page_cache_max)
        self._cache_hit.add(labels, memory.page_cache_hit_ratio)
        self._cache_usage.add(labels, memory.page_cache_usage_ratio)
        for database in server.databases:
            self._add_database([seen.name, database.name], database)
            for index in shown_indexes(database.indexes or ()):
                self._add_index(
                    [seen.name, database.name, shown_name(index.name)],
                    index,
                    seen.since.get((database.name, index.name)),
                )

    def _add_database(self, labels: Sequence[str], database: Database) -> None:
        self._online.add(labels, database.online)
        self._requested.add(labels, database.requested_online)
        self._nodes.add(labels, database.nodes)
        self._relationships.add(labels, database.relationships)
        self._store.add(labels, database.store_bytes)
        self._logs.add(labels, database.transaction_log_bytes)
        self._transactions.add(labels, database.transactions)
        self._oldest.add(labels, database.oldest_transaction)
        if database.indexes is None:
            return
        for state in INDEX_STATES:
            count = sum(index.state == state for index in database.indexes)
            self._indexes.add([*labels, state], count)

    def _add_index(self, labels: Sequence[str], index: Index, since: float | None) -> None:
        self._state.add(labels, index.state)
        self._since.add(labels, since)
        self._population.add(labels, index.population)
        self._reads.add(labels, index.reads)
        self._last_read.add(labels, index.last_read)
        self._tracked.add(labels, index.tracked_since)


def shown_indexes(indexes: Iterable[Index]) -> Sequence[Index]:
    """Those that have series of their own."""
    return sorted(indexes, key=lambda index: (index.state == "online", index.name))[:MAX_INDEXES]


def shown_name(name: str) -> str:
    """A name as a label, which a name of any length would burden. Two names never become one."""
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}~{sha256(name.encode()).hexdigest()[:12]}"
