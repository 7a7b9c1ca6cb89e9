"""Neo4j servers: whether they answer, their databases, indexes, counts and sizes."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.neo4j import Neo4jServer
from exporter.neo4j.driver import Neo4jDriver, Neo4jUnavailable
from exporter.neo4j.families import Seen, families
from exporter.neo4j.objects import Server
from exporter.neo4j.patience import Patience
from exporter.neo4j.reader import Neo4jReader
from exporter.neo4j.store_sizes import store_sizes

log = structlog.get_logger(__name__)

# Shares of the deadline. A server that is slow to log in still has time to answer; one that has not answered by then is
# greeted over a second connection; and there is time to close the connections to one that hangs before the deadline.
_CONNECT = 0.35
_WAIT = 0.4
_ROUND = 0.85

_STALE = 300.0
"""Seconds that figures stand while the round that is to replace them runs."""

_ANSWERS = "those of this round"
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
        await asyncio.gather(*(target.close() for target in self._targets))


class _Target:
    """One server.

    Up is what answers at all. A round that takes longer than a collection runs on during the next ones, since a query
    that is cut off would have to start over; as long as it does, the server has to let us in over a second connection.
    """

    def __init__(
        self, server: Neo4jServer, deadline: float, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self.name = server.name
        self.since: dict[tuple[str, str], tuple[str, float]] = {}
        """State of each index that is not online, by database and name, and Unix seconds since when it is seen."""
        self._server = server
        self._deadline = deadline
        self._clock = clock
        self._monotonic = monotonic
        self._driver = Neo4jDriver(server, deadline * _CONNECT, monotonic)
        self._greeter = Neo4jDriver(server, deadline * _CONNECT, monotonic)
        self._patience = Patience(self._driver.rows, monotonic)
        self._reader = Neo4jReader(self._patience.rows, server.databases)
        self._round: asyncio.Task[Server] | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._alone = asyncio.Lock()
        self._last: Server | None = None
        self._last_at = 0.0
        self._missing: dict[str, str] = {}
        """What of the server is not known, and why."""
        self._threads = KeyedThreads()
        self._standing = Complaints(log, "neo4j server down", "neo4j server answers again", "server")
        self._gaps = Complaints(
            log, "neo4j figures missing", "neo4j figures there again", "figures", server=server.name
        )

    async def measure(self) -> Seen:
        """One collection. Only cancellation is raised."""
        async with self._alone:
            (server, reason), (sizes, problem) = await asyncio.gather(self._ask(), self._sizes())
        self._standing.note(self.name, reason)
        if server is not None:
            self._note_states(server)
            self._gaps.note_all(self._missing | ({_SIZES: problem} if problem else {}))
            server = _with_sizes(server, sizes)
        since = {key: at for key, (_, at) in self.since.items()}
        return Seen(self.name, self._server.index_population_max, server, since)

    async def close(self) -> None:
        """Closes the connections."""
        await self._end_round()
        if self._greeting is not None and not self._greeting.done():
            self._greeting.cancel()
            await asyncio.wait([self._greeting], timeout=self._deadline / 10)

    async def _ask(self) -> tuple[Server | None, str]:
        """What is known of the server, or why it is down."""
        if self._round is None:
            self._round = asyncio.create_task(self._reader.read(), name=f"neo4j {self.name}")
            self._round.add_done_callback(_retrieve)
        reason = await self._silence(self._round)
        if not reason and not self._round.done():
            return self._meanwhile(), ""
        if not reason:
            try:
                self._last, self._last_at = self._round.result(), self._monotonic()
            except Neo4jUnavailable as error:
                reason = str(error)
            except Exception:
                log.exception("neo4j answers not understood", server=self.name)
                reason = "unexpected answers, see the log"
        if reason:
            await self._end_round()
            self._last = None
            self._patience.forget()
            return None, reason
        self._round, self._missing = None, dict(self._reader.refused)
        return self._last, ""

    async def _silence(self, round_: "asyncio.Task[Server]") -> str:
        """Waits for the round, within a collection's time. Why the server is down, if it says nothing; else empty."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._deadline * _ROUND
        await asyncio.wait([round_], timeout=self._deadline * _WAIT)
        if round_.done():
            return ""
        if self._greeting is None or self._greeting.done():  # never cancelled: its own time limits are short
            self._greeting = asyncio.create_task(self._greeter.greet(), name=f"neo4j {self.name}, whether it answers")
            self._greeting.add_done_callback(_retrieve)
        await asyncio.wait([round_, self._greeting], timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        if round_.done():
            return ""
        if not self._greeting.done():
            return f"no answer within {self._deadline * _ROUND:g} s"
        try:
            self._greeting.result()
        except Neo4jUnavailable as error:
            return str(error)
        await asyncio.wait([round_], timeout=end - loop.time())
        return ""

    def _meanwhile(self) -> Server:
        """What is known while a round runs."""
        if self._last is not None and self._monotonic() - self._last_at <= _STALE:
            return self._last
        self._last = None
        self._missing = {_ANSWERS: "the server accepts the login and is still working on the queries, which continue"}
        return Server(databases=())

    async def _end_round(self) -> None:
        round_, self._round = self._round, None
        if round_ is not None:
            round_.cancel()
            await asyncio.wait([round_], timeout=self._deadline / 10)
        await self._driver.discard()

    async def _sizes(self) -> tuple[Sizes, str]:
        """The sizes of the stores, and why there are none."""
        directory = self._server.data_directory
        if directory is None:
            return {}, ""
        try:
            async with asyncio.timeout(self._deadline * _ROUND):
                return await self._threads.run("sizes", lambda: store_sizes(Path(directory))), ""
        except TimeoutError:
            return {}, "too slow"
        except (OSError, StillStuck) as error:
            return {}, str(error)

    def _note_states(self, server: Server) -> None:
        if not server.databases:  # not learnt this time
            return
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


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Takes note of how a task ended that nobody may wait for any more; asyncio would complain otherwise."""
    if not task.cancelled():
        task.exception()


def _with_sizes(server: Server, sizes: Sizes) -> Server:
    """The server with the sizes of its directory, where that has them."""
    databases = []
    for database in server.databases:
        if database.name in sizes:
            store, logs = sizes[database.name]
            database = replace(database, store_bytes=store, transaction_log_bytes=logs)
        databases.append(database)
    return replace(server, databases=databases)
