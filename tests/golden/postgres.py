"""Families of a PostgreSQL 18 primary and its standby, from the rows that they answered; a third server is down."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import Metric

from exporter.base.threads import KeyedThreads
from exporter.inventory.postgres import PostgresServer
from exporter.postgres import queries
from exporter.postgres.families import families as families_of
from exporter.postgres.session import PostgresUnavailable, QueryRefused, Row, Session
from exporter.postgres.watched_server import WatchedServer

COUNT = 3

PRIMARY: Mapping[str, Sequence[Row]] = {
    queries.FACTS: [("18.4", 1795529308.083704, False, 30, 3, 200000000, 400000000, 8192, 180004)],
    queries.DATABASES: [
        ("template1", False, 24, 0, 0, 75841, 514),
        ("template0", False, 24, 0, 0, 0, 0),
        ("postgres", True, 24, 0, 0, 1828, 107),
        ("letta", True, 24, 0, 1, 97737, 1058),
    ],
    queries.ACTIVITY: [
        ("letta", "idle", 2, 0, None),
        ("letta", "idle in transaction", 1, 0, 1795529309.656513),
        ("letta", "active", 1, 1, 1795529310.21471),
        ("postgres", "active", 1, 0, None),
    ],
    queries.STANDBYS: [("standby-1", 56.0, 0.200648)],
    queries.SLOTS: [("old_standby", False, 41549784.0, "unreserved"), ("etl", True, 20558496.0, "reserved")],
    queries.ARCHIVE: [(87, 3, 1795529300.25, 1795529240.5, 2, 1795529301.125)],
    queries.VACUUMS: [("letta", 16392, "scanning heap", 1288, 322)],
    queries.WAL: [(50331648,)],
    queries.SIZES: [("postgres", 7599807), ("letta", 24221375)],
    queries.DEFAULT_COLLATIONS: [("letta", True), ("template1", False), ("postgres", False)],
    queries.COLLATIONS: [(1,)],
    queries.EXTENSIONS: [(1,)],
    queries.without_statistics(True): [(2,)],
    queries.WIDTHS_VIEW: [(True,)],
    queries.tables(True): [
        (
            *(2615, "pg_catalog.pg_namespace", 1, 4.0, 1, 1, None, None, 100, True),
            *([4, 64, 4, -1], ["i", "c", "i", "d"], [4, 64, 4, 53], [0.0, 0.0, 0.0, 0.25]),
        ),
        (
            *(16392, "public.messages", 1288, 36667.0, 36667, 3333, 1795529309.595878, 1795529309.614578, 100, True),
            *([4, -1, 8], ["i", "i", "d"], [4, 132, 8], [0.0, 0.0, 0.0]),
        ),
        (
            *(16397, 'public."Agent State"', 345, 20000.0, 20000, 0, None, 1795529309.626626, 100, True),
            *([8, -1], ["d", "i"], [8, 97], [0.0, 0.0]),
        ),
    ],
    queries.INDEXES: [(16408, "public.agent_once", False, 0, 1), (16405, "public.agent_body", True, 327, 1)],
}

STANDBY: Mapping[str, Sequence[Row]] = {
    queries.FACTS: [("18.4", 1795529308.788427, True, 30, 3, 200000000, 400000000, 8192, 180004)],
    queries.DATABASES: [("postgres", True, 24, 0, 0, 1619, 91)],
    queries.ACTIVITY: [("postgres", "active", 1, 0, None)],
    queries.STANDBYS: [],
    queries.SLOTS: [],
    queries.ARCHIVE: [],
    queries.VACUUMS: [],
    queries.RECOVERY: [(1, 1795529309.644708, 56.0)],
    queries.SIZES: [("postgres", 7599807)],
    queries.DEFAULT_COLLATIONS: [("template1", False), ("postgres", False)],
    queries.COLLATIONS: [(0,)],
    queries.EXTENSIONS: [(0,)],
    queries.without_statistics(False): [(0,)],
    queries.WIDTHS_VIEW: [(False,)],
    queries.tables(False): [],
    queries.INDEXES: [],
}
"""It does not tell the size of its WAL, as to a role without pg_monitor."""


class RecordedSession(Session):
    """Answers each query as it was answered. What was not recorded, the server refuses to tell."""

    def __init__(self, dbname: str, answers: Mapping[str, Sequence[Row]]) -> None:
        self.dbname = dbname
        self._answers = answers

    @property
    def usable(self) -> bool:
        return True

    async def rows(self, query: str, *values: object) -> list[Row]:
        if self.dbname == "postgres" and query in (queries.tables(True), queries.INDEXES):
            return []
        if self.dbname == "postgres" and query == queries.COLLATIONS:
            return [(0,)]
        if query not in self._answers:
            raise QueryRefused("permission denied")
        return list(self._answers[query])

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        yield

    async def close(self) -> None:
        """There is nothing to close."""


class RecordedServer(WatchedServer):
    """A server without a server. Without answers it is down."""

    def __init__(self, name: str, answers: Mapping[str, Sequence[Row]], **settings: Any) -> None:
        super().__init__(PostgresServer(name=name, tables=COUNT, **settings), 300.0, 8.0, KeyedThreads())
        self._answers = answers

    async def _connect(self, dbname: str) -> None:
        if not self._answers:
            raise PostgresUnavailable("connection refused")
        self._session = RecordedSession(dbname, self._answers)


async def families() -> Sequence[Metric]:
    servers = (RecordedServer("primary", PRIMARY), RecordedServer("standby", STANDBY), RecordedServer("down", {}))
    return families_of([await server.read() for server in servers])
