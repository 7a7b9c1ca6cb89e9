"""Working with a Neo4j server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exporter.inventory.neo4j import Neo4jServer
from exporter.neo4j.driver import Neo4jDriver

CONNECT_SECONDS = 15.0


class Neo4jDoor:
    """Lends the server's driver: one at a time, connected when first asked and closed when its block is left.

    It is the same driver each time: it remembers a refused login, so that retries do not lock the user out.
    """

    def __init__(self, server: Neo4jServer) -> None:
        self.server = server
        self._driver = Neo4jDriver(server, CONNECT_SECONDS)
        self._users = 0

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Neo4jDriver]:
        """The driver, whose queries raise Neo4jUnavailable, Neo4jRefused and Neo4jTooSlow."""
        self._users += 1
        try:
            yield self._driver
        finally:
            self._users -= 1
            if not self._users:
                await self._driver.discard()

    def close(self) -> None:
        """Nothing is open between blocks."""
