"""Working with a PostgreSQL server as the role that maintains it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exporter.base.threads import KeyedThreads
from exporter.inventory.postgres import PostgresServer
from exporter.postgres.connect import connect
from exporter.postgres.session import Session

CONNECT_SECONDS = 15.0
LOOK_SECONDS = 60.0
"""For a query of the catalogs."""

_CHECK_SECONDS = 2
_COST = {"vacuum_cost_delay": "2ms", "vacuum_cost_limit": "1000"}
"""As autovacuum works, though five times as fast: a vacuum by hand takes no pauses by default."""


class PostgresDoor:
    """Opens sessions, each closed when its block is left. Those still open are cut when the config is replaced."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._threads = KeyedThreads()
        self._open: set[Session] = set()

    @asynccontextmanager
    async def looking(self, dbname: str) -> AsyncIterator[Session]:
        """A session that only reads. Raises PostgresUnavailable."""
        async with self._session(dbname, LOOK_SECONDS, {"lock_timeout": "1s"}) as session:
            yield session

    @asynccontextmanager
    async def observing(self) -> AsyncIterator[Session]:
        """A session that only reads, of the role that measures, in its own database: it sees what others do.

        Raises PostgresUnavailable.
        """
        async with self._session(self.server.dbname, LOOK_SECONDS, {"lock_timeout": "1s"}, self.server) as session:
            yield session

    @asynccontextmanager
    async def working(self, dbname: str, *, seconds: float, lock_seconds: float) -> AsyncIterator[Session]:
        """A session whose statements change the database, gently. Raises PostgresUnavailable.

        seconds: for each statement. lock_seconds: to wait for a lock.
        """
        settings = {
            "default_transaction_read_only": "off",
            "lock_timeout": f"{max(1, round(lock_seconds * 1000))}ms",
            **_COST,
        }
        async with self._session(dbname, seconds, settings) as session:
            await session.end_when_cut(_CHECK_SECONDS)
            yield session

    @asynccontextmanager
    async def _session(
        self, dbname: str, seconds: float, settings: dict[str, str], role: PostgresServer | None = None
    ) -> AsyncIterator[Session]:
        session = await connect(
            role or self.server.as_maintainer,
            dbname,
            self._threads,
            seconds=CONNECT_SECONDS,
            statement_seconds=seconds,
            settings=settings,
        )
        self._open.add(session)
        try:
            yield session
        finally:
            self._open.discard(session)
            await session.close()

    def close(self) -> None:
        """Cuts what is still open."""
        for session in self._open:
            session.cut("the config was changed")
