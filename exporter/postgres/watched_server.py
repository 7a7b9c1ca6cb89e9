"""What is asked of one server, when, and over which of its databases."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from exporter.base.threads import KeyedThreads
from exporter.inventory.postgres import PostgresServer
from exporter.postgres import queries
from exporter.postgres.connect import connect
from exporter.postgres.problems import SERVER, Problems, database_part
from exporter.postgres.rows import (
    Activity,
    Archive,
    Database,
    Details,
    Recovery,
    ServerFacts,
    ServerReading,
    Slot,
    Standby,
    Vacuum,
    worst_indexes,
    worst_tables,
)
from exporter.postgres.session import PostgresUnavailable, QueryRefused, Row, Session

_KEPT_INTERVALS = 3
"""Tables that could not be read again are shown for this many intervals more."""

_COLLATIONS_OF_DATABASES = 150000
"""The version number from which on a database knows the version of its default collation."""

_SPARE_CONNECTIONS = 3
"""With fewer free ones, the connection is not given up for one to another database: it might not come back."""


class WatchedServer:
    """One server, looked at over one connection that is kept, and opened again when it broke.

    Tables and indexes can be seen only from within their database. So once in ``details_interval`` the connection is
    closed, each of the other databases is connected to in its turn, and then the first one again: there is never more
    than one connection. What does not fit into a round's time continues in the next.

    seconds: for a round, however the server behaves. monotonic: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        server: PostgresServer,
        details_interval: float,
        seconds: float,
        threads: KeyedThreads,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._details_interval = details_interval
        self._seconds = seconds
        self._threads = threads
        self._monotonic = monotonic
        self._session: Session | None = None
        self._alone = asyncio.Lock()
        self._reader: asyncio.Task[object] | None = None
        self._problems = Problems(server.name)
        self._names: Sequence[str] = ()
        self._sizes: dict[str, int] = {}
        self._sizes_at: float | None = None
        self._default_collations: dict[str, bool] = {}
        self._details: dict[str, tuple[Details, float]] = {}
        self._attempts: dict[str, float] = {}
        self._end = 0.0

    async def read(self) -> ServerReading:
        """What is known of the server now. One that is down, or hangs, is a reading too; nothing is raised."""
        async with self._alone:
            self._reader = asyncio.current_task()
            self._end = self._monotonic() + self._seconds
            try:
                reading = await self._read()
            except PostgresUnavailable as error:
                await self._drop()
                self._problems.note(SERVER, str(error))
                return ServerReading(self._server.name, self._server.limits)
            except Exception as error:  # noqa: BLE001 - the boundary between servers
                await self._drop()
                self._problems.broke(SERVER, error)
                return ServerReading(self._server.name, self._server.limits)
            except BaseException:
                await self._drop()
                raise
            self._problems.note(SERVER, "")
            return reading

    async def close(self) -> None:
        """Closes the connection. A round that runs is cancelled."""
        if self._alone.locked() and self._reader is not None:
            self._reader.cancel()
        async with self._alone:
            await self._drop()

    async def _read(self) -> ServerReading:
        facts = await self._facts()
        rows = self._rows
        databases = _each(Database, await rows("databases", queries.DATABASES, self._server.databases))
        activity = _each(Activity, await rows("activity", queries.ACTIVITY))
        standbys = _each(Standby, await rows("standbys", queries.STANDBYS))
        slots = _each(Slot, await rows("slots", queries.SLOTS))
        vacuums = _each(Vacuum, await rows("vacuums", queries.VACUUMS))
        recovery = _each(Recovery, await rows("recovery", queries.RECOVERY)) if facts.in_recovery else None
        wal = await rows("wal", queries.WAL)
        archive = _each(Archive, await rows("archive", queries.ARCHIVE))
        if databases is not None:
            self._names = self._measured(databases)
            await self._read_seldom(facts)
            await self._read_details(facts, activity)
        return ServerReading(
            server=self._server.name,
            limits=self._server.limits,
            facts=facts,
            databases=databases,
            activity=activity,
            standbys=standbys,
            slots=slots,
            recovery=recovery[0] if recovery else None,
            vacuums=vacuums,
            wal_bytes=wal[0][0] if wal else None,
            archive=archive[0] if archive else None,
            default_collations=dict(self._default_collations),
            measured=frozenset(self._names),
            sizes=dict(self._sizes),
            details={name: details for name, (details, _) in self._details.items()},
        )

    async def _facts(self) -> ServerFacts:
        """The first query of a round. It finds out that the kept connection broke, which only then is opened again."""
        if self._session is not None:
            with suppress(PostgresUnavailable):
                return await self._ask_facts()
            if self._remaining() <= 0:
                raise PostgresUnavailable(f"no answer within {self._seconds:.3g} s")
            await self._drop()
        await self._connect(self._server.dbname)
        return await self._ask_facts()

    async def _ask_facts(self) -> ServerFacts:
        try:
            return ServerFacts(*(await self._ask(queries.FACTS))[0])
        except QueryRefused as error:
            raise PostgresUnavailable(str(error)) from None

    def _measured(self, databases: Sequence[Database]) -> list[str]:
        wanted, excluded = self._server.databases, self._server.exclude_databases
        return [
            database.name
            for database in databases
            if database.connectable and database.name not in excluded and (not wanted or database.name in wanted)
        ]

    async def _read_seldom(self, facts: ServerFacts) -> None:
        """Sizes and versions of collations. For the sizes the server looks at each file of each database:
        milliseconds for a thousand tables."""
        now = self._monotonic()
        if self._sizes_at is not None and now - self._sizes_at < self._details_interval:
            self._sizes = {name: size for name, size in self._sizes.items() if name in self._names}
            return
        rows = await self._rows("sizes", queries.SIZES, list(self._names))
        self._sizes_at = now
        self._sizes = {name: size for name, size in rows or () if size is not None}
        if facts.version_number >= _COLLATIONS_OF_DATABASES:
            rows = await self._rows("default collations", queries.DEFAULT_COLLATIONS)
            self._default_collations = dict(rows or ())

    async def _read_details(self, facts: ServerFacts, activity: Sequence[Activity] | None) -> None:
        """Of the databases whose turn it is, as far as half of the round's time allows."""
        now, home = self._monotonic(), self._server.dbname
        self._forget(now)
        waited = {name: now - self._attempts.get(name, float("-inf")) for name in self._names}
        due = [name for name in self._names if waited[name] >= self._details_interval]
        due.sort(key=lambda name: (name != home, -waited[name]))
        if activity is None or _free(facts, activity) < _SPARE_CONNECTIONS:
            due = [name for name in due if name == home]
        for name in due:
            if name != home and self._remaining() < self._seconds / 2:
                break
            self._attempts[name] = now
            await self._read_database(name, facts)
        if self._session is None:
            with suppress(PostgresUnavailable):  # the next round tries again, and says so
                await self._connect(home)

    async def _read_database(self, name: str, facts: ServerFacts) -> None:
        part = database_part(name)
        try:
            if name != self._server.dbname:
                await self._connect(name)
            details = await self._database(name, facts)
        except (PostgresUnavailable, QueryRefused) as error:
            self._problems.note(part, str(error))
        else:
            self._problems.note(part, "")
            self._details[name] = (details, self._monotonic())
        finally:
            if name != self._server.dbname or not (self._session and self._session.usable):
                await self._drop()

    async def _database(self, name: str, facts: ServerFacts) -> Details:
        """Of the database that the session is in. Raises PostgresUnavailable and QueryRefused."""
        count = self._server.tables
        view = (await self._ask(queries.WIDTHS_VIEW))[0][0]
        tables = await self._ask(queries.tables(view), count, count) if count else []
        indexes = await self._ask(queries.INDEXES, count)
        collations = await self._rows(f"collations of {name}", queries.COLLATIONS)
        extensions = await self._rows(f"extensions of {name}", queries.EXTENSIONS)
        bare = await self._rows(f"statistics of {name}", queries.without_statistics(view))
        return Details(
            worst_tables(tables, count, facts.block_bytes),
            worst_indexes(indexes, count, facts.block_bytes),
            collations[0][0] if collations else None,
            extensions[0][0] if extensions else None,
            bare[0][0] if bare else None,
        )

    def _forget(self, now: float) -> None:
        """What is of a database that is gone, and what is too old."""
        names, kept = self._names, _KEPT_INTERVALS * self._details_interval
        self._details = {
            name: (details, at) for name, (details, at) in self._details.items() if name in names and now - at <= kept
        }
        self._attempts = {name: at for name, at in self._attempts.items() if name in names}
        self._problems.keep_databases(names)

    async def _rows(self, part: str, query: str, *values: object) -> list[Row] | None:
        """The rows, or None when the server refuses to tell them. Raises PostgresUnavailable."""
        try:
            rows = await self._ask(query, *values)
        except QueryRefused as error:
            self._problems.note(part, str(error))
            return None
        self._problems.note(part, "")
        return rows

    async def _ask(self, query: str, *values: object) -> list[Row]:
        assert self._session is not None
        with self._session.within(max(0.0, self._remaining())):
            return await self._session.rows(query, *values)

    async def _connect(self, dbname: str) -> None:
        await self._drop()
        self._session = await connect(
            self._server,
            dbname,
            self._threads,
            seconds=max(0.0, self._remaining()),
            statement_seconds=self._seconds / 3,
        )

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _remaining(self) -> float:
        return self._end - self._monotonic()


def _each(kind: Callable[..., Any], rows: Sequence[Row] | None) -> list[Any] | None:
    return None if rows is None else [kind(*row) for row in rows]


def _free(facts: ServerFacts, activity: Sequence[Activity]) -> int:
    used = sum(entry.connections for entry in activity)
    return facts.max_connections - facts.reserved_connections - used
