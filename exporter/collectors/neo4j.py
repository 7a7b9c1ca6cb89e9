"""Neo4j servers: whether they answer, their databases, indexes, counts and sizes."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.neo4j import Neo4jServer
from exporter.neo4j.driver import Neo4jDriver, Neo4jRefused, Neo4jUnavailable
from exporter.neo4j.families import Seen, families
from exporter.neo4j.files import store_sizes
from exporter.neo4j.objects import Server
from exporter.neo4j.read import Neo4jReader

log = structlog.get_logger(__name__)

# Shares of the deadline. A server that is slow to log in, or to answer one query, still has time for the rest; and the
# collector has time to close the connection to one that hangs before its own deadline.
_ROUND = 0.85
_CONNECT = 0.5
_QUERY = 0.25

_SIZES = "store sizes in data_directory"

Sizes = Mapping[str, tuple[int, int]]


class Neo4jCollector:
    """Asks all servers at once, each over one connection of its own that stays open, and in its own error boundary.

    clock: Unix seconds. monotonic: seconds on a clock that never jumps.
    """

    name = "neo4j"

    def __init__(
        self,
        servers: Sequence[Neo4jServer],
        settings: CollectorSettings,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._targets = [_Target(server, self.deadline, clock, monotonic) for server in servers]

    async def collect(self) -> Sequence[Metric]:
        return families(await asyncio.gather(*(target.measure() for target in self._targets)))

    def continue_from(self, former: "Neo4jCollector") -> None:
        """Takes over since when indexes are in their state, which a reload of the config does not change."""
        since = {target.name: target.since for target in former._targets}
        for target in self._targets:
            target.since = since.get(target.name, target.since)

    async def close(self) -> None:
        """Closes the connections."""
        await asyncio.gather(*(target.driver.discard() for target in self._targets))


class _Target:
    """One server."""

    def __init__(
        self, server: Neo4jServer, deadline: float, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self.name = server.name
        self.driver = Neo4jDriver(server, deadline * _CONNECT, deadline * _QUERY, monotonic)
        self.since: dict[tuple[str, str], tuple[str, float]] = {}
        """State of each index that is not online, by database and name, and Unix seconds since when it is seen."""
        self._server = server
        self._limit = deadline * _ROUND
        self._clock = clock
        self._reader = Neo4jReader(self.driver.rows, server.databases)
        self._threads = KeyedThreads()
        self._standing = Complaints(log, "neo4j server down", "neo4j server answers again", "server")
        self._gaps = Complaints(
            log, "neo4j figures missing", "neo4j figures there again", "figures", server=server.name
        )

    async def measure(self) -> Seen:
        """One round. Only cancellation is raised."""
        (server, reason), (sizes, problem) = await asyncio.gather(self._ask(), self._sizes())
        self._standing.note(self.name, reason)
        if server is not None:
            self._note_states(server)
            self._gaps.note_all(self._reader.refused | ({_SIZES: problem} if problem else {}))
            server = _with_sizes(server, sizes)
        since = {key: at for key, (_, at) in self.since.items()}
        return Seen(self.name, self._server.index_population_max, server, since)

    async def _ask(self) -> tuple[Server | None, str]:
        """What was learnt, or why nothing was."""
        try:
            async with asyncio.timeout(self._limit):
                return await self._reader.read(), ""
        except TimeoutError:
            reason = f"no complete answer within {self._limit:g} s"
        except (Neo4jUnavailable, Neo4jRefused) as error:
            reason = str(error)
        except Exception:
            log.exception("neo4j answers not understood", server=self.name)
            reason = "answers that are not understood, see the log"
        await self.driver.discard()
        return None, reason

    async def _sizes(self) -> tuple[Sizes, str]:
        """The sizes of the stores, and why there are none."""
        directory = self._server.data_directory
        if directory is None:
            return {}, ""
        try:
            async with asyncio.timeout(self._limit):
                return await self._threads.run("sizes", lambda: store_sizes(Path(directory))), ""
        except TimeoutError:
            return {}, "too slow"
        except (OSError, StillStuck) as error:
            return {}, str(error)

    def _note_states(self, server: Server) -> None:
        now, before = self._clock(), self.since
        self.since = {}
        for database in server.databases:
            if database.indexes is None:  # not learnt this time
                self.since |= {key: value for key, value in before.items() if key[0] == database.name}
            for index in database.indexes or ():
                key = (database.name, index.name)
                state, at = before.get(key, ("", now))
                if index.state != "online":
                    self.since[key] = (index.state, at if state == index.state else now)


def _with_sizes(server: Server, sizes: Sizes) -> Server:
    """The server with the sizes of its directory, where that has them."""
    databases = []
    for database in server.databases:
        if database.name in sizes:
            store, logs = sizes[database.name]
            database = replace(database, store_bytes=store, transaction_log_bytes=logs)
        databases.append(database)
    return replace(server, databases=databases)
