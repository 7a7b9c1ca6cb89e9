"""PostgreSQL servers: connections, databases, transaction ages, tables, indexes, replication."""

import asyncio
from collections.abc import Sequence

from prometheus_client.core import Metric

from exporter.base.threads import KeyedThreads
from exporter.inventory.postgres import PostgresServer, PostgresSettings
from exporter.postgres.families import families
from exporter.postgres.watched_server import WatchedServer


class PostgresCollector:
    """A server that is down or hangs is no failure of the collector, but ``upkeeper_postgres_up`` 0 of that server."""

    name = "postgres"

    def __init__(self, servers: Sequence[PostgresServer], settings: PostgresSettings) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        threads = KeyedThreads()
        self._servers = [
            # So that a server that hangs fails by itself, not all of them with the collector.
            WatchedServer(server, settings.details_interval, self.deadline * 0.8, threads)
            for server in servers
        ]

    async def collect(self) -> Sequence[Metric]:
        return families(await asyncio.gather(*(server.read() for server in self._servers)))

    async def close(self) -> None:
        """Closes the connections. A collection that runs is cancelled."""
        await asyncio.gather(*(server.close() for server in self._servers))
