"""The database behind the record: one writer, many readers, blocking calls in threads."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from remediator.model.errors import NoRoom
from remediator.store import audit, hosts, ownrole
from remediator.store.backend import Backend
from remediator.store.sqlitefile import SqliteFile
from remediator.store.turn import Turn
from remediator.store.version import MIGRATIONS, is_current, newest_version, note, version_of
from remediator.store.writer import Writer

__all__ = ["MIGRATIONS", "Database", "newest_version"]

T = TypeVar("T")

_MIGRATING = threading.Lock()
"""Alembic knows one migration in a process: ``alembic.op`` and ``alembic.context`` are of the last that began."""


def _backend(
    place: Path | str,
    host: str,
    on_room: Callable[[str], None],
    make_room: Callable[[], bool],
    journal: str | None,
) -> Backend:
    if isinstance(place, Path):
        return SqliteFile(place, on_room, make_room, None if journal is None else (host, journal))
    try:
        url = sa.make_url(place)
    except sa.exc.ArgumentError:
        raise ValueError("the database must be a URL like postgresql://user@host/name") from None  # it may be a secret
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        from remediator.store.postgresql import Postgresql  # only here: its dialect takes megabytes

        return Postgresql(url, host, on_room)
    if url.drivername == "sqlite" and url.database:
        return SqliteFile(Path(url.database), on_room, make_room)
    raise ValueError(f"a database of the kind {url.drivername!r} is not supported; SQLite and PostgreSQL are")


class Database:
    """SQLite or PostgreSQL, with our tables migrated to the newest version.

    On a full disk a SQLite file can be opened and read, unless its tables are to be brought up to date first. Whatever
    cannot be written because the disk is full raises NoRoom.

    place: a SQLite file, or a URL of either kind; raises ValueError for any other.
    on_room: called after a write with why there was no room for it, empty when there was; from another thread.
    make_room: called, from another thread, when a write finds no room on this machine's disk; where it has made some,
    the write is tried again.
    host: the name of this machine, which its rows carry. journal: the name of its chain, where the database is the
    journal of a host that shares its record with others, as the record can be then: what is another host's stays so.
    """

    def __init__(
        self,
        place: Path | str,
        on_room: Callable[[str], None] = lambda _: None,
        *,
        make_room: Callable[[], bool] = lambda: False,
        host: str | None = None,
        journal: str | None = None,
    ) -> None:
        self.host = host or hosts.this_host()
        self.journal = journal
        self._backend = _backend(place, self.host, on_room, make_room, journal)
        self._writer = Writer()
        self.writes = 0
        """How often this process has written to it: another number tells that something may be another by now."""
        self.begun = 0
        """How many of its writes have reached it: each of them may have been committed."""
        self.held = False
        """Whether the database lets this host change what is its own, and nothing else."""
        self.on_write: Callable[[], None] = lambda: None
        """Called after each write."""
        self._read_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="store-read")

    @property
    def one_machine(self) -> bool:
        """Whether no other machine can have rows in it."""
        return self._backend.one_machine and self.journal is None

    @property
    def chain(self) -> str:
        """The name of this host's chain in it."""
        return self.journal or self.host

    @property
    def shared_as(self) -> str | None:
        """The name of this machine where others may have rows in it too; None where it is one machine's own."""
        return None if self.one_machine else self.host

    @property
    def url(self) -> str:
        """For another library that is to use the same database from this process."""
        return self._backend.url

    @property
    def turn(self) -> Turn | None:
        """What that library is to take for each transaction in which it writes; None: nothing."""
        return self._backend.turn

    async def migrate(self) -> None:
        """Opens the database and brings the tables up to date. Keeps every row. May be called again.

        Raises NoRoom, sqlalchemy.exc.DBAPIError, and ClientError where that is for another to do: a newer program, or
        whoever owns the tables.
        """
        await asyncio.wrap_future(self._writer.submit(self._migrate))

    def _migrate(self) -> None:
        writable = self._backend.open()
        # First only a look: a reader must not need room on the disk, nor wait for a writer.
        if not is_current(self._backend.read(version_of)):
            self._upgrade()
        if not self._backend.one_machine:
            self.held = self._backend.read(partial(ownrole.held, host=self.host))
        if not writable:
            return
        # In vain without room; before anything is done, this is called again.
        with suppress(NoRoom):
            # Where the one machine has another name now, the rows follow.
            if self._backend.one_machine and self._backend.read(partial(hosts.strangers, host=self.host)):
                self._backend.write(partial(hosts.adopt, host=self.host, now=time.time()))
            if self._backend.read(partial(audit.head, host=self.host)) is None:
                self._backend.write(partial(audit.begin, host=self.host, now=time.time()))

    async def make_tables(self) -> None:
        """Opens the database and brings the tables up to date, without the beginning of this host's audit."""

        def make() -> None:
            self._backend.open()
            if not is_current(self._backend.read(version_of)):
                self._upgrade()

        await asyncio.wrap_future(self._writer.submit(make))

    async def into(self, other: "Database", work: Callable[[sa.Connection, sa.Connection], T]) -> T:
        """The result of ``work`` on one view of this database, and in one transaction of the other."""

        def read(mine: sa.Connection) -> T:
            return other._backend.write(lambda theirs: work(mine, theirs))

        return await self.read(read)

    async def write_opened(self, work: Callable[[sa.Connection], T]) -> T:
        """The same as ``write`` on a database that may not be open yet. Raises NoRoom, and DBAPIError."""
        await asyncio.wrap_future(self._writer.submit(self._backend.open))
        return await self.write(work)

    def open_only(self) -> None:
        """Opens the database as it is, only to read it. Raises NoRoom, and sqlalchemy.exc.DBAPIError."""
        self._backend.open()

    def _upgrade(self) -> None:
        # Only here: it would stay in memory for nothing.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))

        def upgrade(connection: sa.Connection) -> None:
            self._backend.prepare_migration(connection)
            config.attributes.update(connection=connection, host=self.host)
            command.upgrade(config, "head")
            note(connection)

        with _MIGRATING, ownrole.explained():
            self._backend.write(upgrade)

    async def require_room(self) -> None:
        """Raises NoRoom when it could be opened only to read, or when nothing can be written to it."""
        self._backend.require_room()
        await self.write(self._backend.touch)

    async def write(self, work: Callable[[sa.Connection], T], *, urgent: bool = False) -> T:
        """The result of ``work`` in one transaction, on disk when this returns.

        ``work`` may be called again, after what it did was undone. urgent: it goes before what waits for the writer.
        Raises NoRoom, and sqlalchemy.exc.DBAPIError.
        """

        def counted(connection: sa.Connection) -> T:
            self.begun += 1
            return work(connection)

        try:
            return await asyncio.wrap_future(self._writer.submit(partial(self._backend.write, counted), urgent=urgent))
        finally:
            self.writes += 1
            self.on_write()

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of ``work`` on one consistent view of the data."""
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, self._backend.read, work)

    def abort(self) -> None:
        """What is being asked of a database that does not answer fails at once, with an SQLAlchemyError."""
        self._backend.abort()

    async def close(self) -> None:
        """Ends after what is under way is done."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._read_threads.shutdown()
        self._writer.shutdown()
        self._backend.close()
