"""What is asked of a server before and after maintenance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from exporter.base.errors import UpkeeperError
from exporter.base.threads import KeyedThreads
from exporter.inventory.postgres import PostgresServer
from exporter.postgres import queries
from exporter.postgres.rows import Database
from exporter.postgres.session import Session
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_maintenance import tables as tables_of
from remediator.tasks.postgres_maintenance.blockers import HOLDERS, Blocker
from remediator.tasks.postgres_maintenance.choose import Wants
from remediator.tasks.postgres_maintenance.indexes import Index, Space, indexes
from remediator.tasks.postgres_maintenance.tables import FACTS, ServerFacts, Table

Statvfs = Callable[[str], Space]


@dataclass(frozen=True, slots=True)
class Found:
    """Of one database."""

    dbname: str
    tables: Sequence[Table]
    indexes: Sequence[Index]
    holders: Sequence[Blocker]


@dataclass(frozen=True, slots=True)
class ServerFound:
    """Of a server."""

    wants: Wants
    databases: Sequence[Database]
    found: Sequence[Found]
    closed: dict[str, str]
    """Why databases could not be looked into, by name."""


class Look:
    """Reads one server, as the role that maintains it. Raises PostgresUnavailable and QueryRefused."""

    def __init__(self, door: PostgresDoor, threads: KeyedThreads, statvfs: Statvfs) -> None:
        self._door = door
        self._server: PostgresServer = door.server
        self._threads = threads
        self._statvfs = statvfs

    async def server(self) -> ServerFound:
        """All of its databases that are looked after, one after the other."""
        home = self._server.dbname
        async with self._door.looking(home) as session:
            wants = await self.wants(session)
            databases = [Database(*row) for row in await session.rows(queries.DATABASES, self._server.databases)]
            found, closed = [], {}
            if not wants.facts.in_recovery:
                if home in (names := self._names(databases)):
                    names.remove(home)
                    found.append(await self._database(session, wants, shared=True))
                for name in names:
                    try:
                        async with self._door.looking(name) as other:
                            found.append(await self._database(other, wants, shared=not found))
                    except UpkeeperError as error:
                        closed[name] = str(error)
        return ServerFound(wants, databases, found, closed)

    async def wants(self, session: Session) -> Wants:
        """When a table of the server needs what."""
        facts = ServerFacts(*(await session.rows(FACTS))[0])
        return Wants(self._server.maintenance, self._server.limits, facts)

    async def space(self) -> Space | None:
        """Of the file system that holds the data; None where that is not configured. Raises OSError and StillStuck."""
        directory = self._server.maintenance.data_directory
        if directory is None:
            return None
        return await self._threads.run(("space", directory), partial(self._statvfs, directory))

    def _names(self, databases: Sequence[Database]) -> list[str]:
        wanted, excluded = self._server.databases, self._server.exclude_databases
        return [
            database.name
            for database in databases
            if database.connectable and database.name not in excluded and (not wanted or database.name in wanted)
        ]

    async def _database(self, session: Session, wants: Wants, *, shared: bool) -> Found:
        version = wants.facts.version_number
        view = (await session.rows(queries.WIDTHS_VIEW))[0][0]
        return Found(
            session.dbname,
            [Table(*row) for row in await session.rows(tables_of.tables(version), shared)],
            [Index(*row) for row in await session.rows(indexes(version, view=view))],
            await holders(session),
        )


async def table_now(session: Session, oid: int) -> Table | None:
    """A table as it is now."""
    found = await session.rows(tables_of.tables(session.version_number, one=True), oid, True)
    return Table(*found[0]) if found else None


async def index_now(session: Session, oid: int) -> Index | None:
    """An index as it is now."""
    view = (await session.rows(queries.WIDTHS_VIEW))[0][0]
    found = await session.rows(indexes(session.version_number, view=view, one="index"), oid)
    return Index(*found[0]) if found else None


async def indexes_of(session: Session, table_oid: int) -> list[Index]:
    """The indexes of a table, and of its TOAST table."""
    found = await session.rows(indexes(session.version_number, view=False, one="table"), table_oid)
    return [Index(*row) for row in found]


async def holders(session: Session) -> list[Blocker]:
    """What keeps dead rows of the session's database from being removed, the oldest first."""
    return [Blocker(*row) for row in await session.rows(HOLDERS)]
