"""What one Neo4j server is asked in a round. The queries change nothing and are the same for every version: what a
server does not have, or does not allow, is left out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, LiteralString, Protocol, TypeVar

from exporter.neo4j import objects
from exporter.neo4j.driver import TRANSACTION_METADATA, Neo4jRefused
from exporter.neo4j.objects import Database, Memory, Server

T = TypeVar("T")

MAX_DATABASES = 100
"""How many databases of a server are looked at: as many as one holds unless its own limit is raised."""

SYSTEM = "system"

NODES: LiteralString = "MATCH (n) RETURN count(n) AS count"
RELATIONSHIPS: LiteralString = "MATCH ()-[r]->() RETURN count(r) AS count"
"""Both are answered from the count store, without a look at the graph."""

_COMPONENTS: LiteralString = "CALL dbms.components() YIELD name, versions, edition"
_DATABASES: LiteralString = "SHOW DATABASES YIELD name, type, requestedStatus, currentStatus"
_TRANSACTIONS: LiteralString = "SHOW TRANSACTIONS YIELD database, startTime, metaData"
_PRIVILEGES: LiteralString = "SHOW USER PRIVILEGES AS COMMANDS YIELD command"
_PROCEDURES: LiteralString = "SHOW PROCEDURES EXECUTABLE YIELD name WHERE name = 'dbms.queryJmx' RETURN name"
_PAGE_CACHE: LiteralString = "SHOW SETTINGS 'server.memory.pagecache.size' YIELD value"
_HEAP: LiteralString = "CALL dbms.queryJmx('java.lang:type=Memory') YIELD name, attributes"
_STORE_BEANS: LiteralString = "CALL dbms.queryJmx('neo4j.metrics:name=*.store.size.*,*') YIELD name, attributes"
_PAGE_CACHE_BEANS: LiteralString = (
    "CALL dbms.queryJmx('neo4j.metrics:name=*.page_cache.*_ratio,*') YIELD name, attributes"
)
_INDEXES: LiteralString = "SHOW INDEXES YIELD *"


class Ask(Protocol):
    """As exporter.neo4j.patience.Patience.rows."""

    async def __call__(self, database: str, query: LiteralString) -> Sequence[dict[str, Any]]: ...


class Neo4jReader:
    """Reads a server, round after round. What cannot change while it runs is asked once, and again after a failure.

    databases: names, in lower case, of those to look at; None for all.
    """

    def __init__(self, ask: Ask, databases: Collection[str] | None) -> None:
        self._ask = ask
        self._databases = databases
        self._known: tuple[str | None, str | None] | None = None
        self._may_query_beans = False
        self._page_cache_max: int | None = None
        self.refused: dict[str, str] = {}
        """What the last round could not learn, and why."""

    async def read(self) -> Server:
        """One round. Raises Neo4jUnavailable."""
        try:
            return await self._read()
        except BaseException:  # a cancellation too
            self._known = None
            raise

    async def _read(self) -> Server:
        self.refused = {}
        listed = await self._try("databases", SYSTEM, _DATABASES, objects.parse_databases)
        if listed is None:
            self._known = None
        known = await self._try("version", SYSTEM, _COMPONENTS, objects.parse_components) or (None, None)
        await self._learn(known)
        transactions = await self._transactions(known[1])
        memory, stores = await self._beans()
        databases = []
        for database in self._chosen(listed):
            if database.online and database.kind == "standard":
                database = await self._look_into(database)
            if transactions is not None and database.online:
                began = transactions.get(database.name, ())
                database = replace(database, transactions=len(began), oldest_transaction=min(began, default=None))
            store, logs = stores.get(database.name, (None, None))
            databases.append(replace(database, store_bytes=store, transaction_log_bytes=logs))
        return Server(databases, *known, memory)

    async def _learn(self, known: tuple[str | None, str | None]) -> None:
        """Asks what only another server, or the same one after an update, would answer differently."""
        if known == self._known:
            return
        self._may_query_beans = bool(await self._try("procedures", SYSTEM, _PROCEDURES, list))
        self._page_cache_max = await self._try("page cache setting", SYSTEM, _PAGE_CACHE, objects.parse_size)
        self._known = known if not self.refused else None

    def _chosen(self, listed: Sequence[Database] | None) -> Sequence[Database]:
        if listed is None:  # of none is known whether it is online
            return []
        if self._databases is None:
            return listed[:MAX_DATABASES]
        found = {name: Database(name, online=False, requested_online=True) for name in self._databases}
        found |= {database.name: database for database in listed if database.name in found}
        return list(found.values())

    async def _transactions(self, edition: str | None) -> Mapping[str, Sequence[float]] | None:
        # Community has no privileges: everybody sees everything. Elsewhere, who may not see the transactions of others
        # is shown his own only, which must not be taken for all; what is granted can be taken away at any time.
        if edition != "community" and not await self._try(
            "privileges", SYSTEM, _PRIVILEGES, objects.may_show_transactions
        ):
            return None
        return await self._try(
            "transactions", SYSTEM, _TRANSACTIONS, lambda rows: objects.parse_transactions(rows, TRANSACTION_METADATA)
        )

    async def _beans(self) -> tuple[Memory, Mapping[str, tuple[int | None, int | None]]]:
        if not self._may_query_beans:
            return Memory(page_cache_max=self._page_cache_max), {}
        used, limit = await self._try("heap", SYSTEM, _HEAP, objects.parse_heap) or (None, None)
        ratios = await self._try("page cache", SYSTEM, _PAGE_CACHE_BEANS, objects.parse_page_cache_beans)
        stores = await self._try("store sizes", SYSTEM, _STORE_BEANS, objects.parse_store_beans)
        return Memory(used, limit, self._page_cache_max, *(ratios or (None, None))), stores or {}

    async def _look_into(self, database: Database) -> Database:
        name = database.name
        return replace(
            database,
            indexes=await self._try(f"indexes of {name}", name, _INDEXES, objects.parse_indexes),
            nodes=await self._try(f"nodes of {name}", name, NODES, _count),
            relationships=await self._try(f"relationships of {name}", name, RELATIONSHIPS, _count),
        )

    async def _try(
        self, what: str, database: str, query: LiteralString, parse: Callable[[Sequence[dict[str, Any]]], T]
    ) -> T | None:
        try:
            return parse(await self._ask(database, query))
        except Neo4jRefused as error:
            self.refused[what] = str(error)
            return None


def _count(rows: Sequence[Mapping[str, int]]) -> int:
    return rows[0]["count"]
