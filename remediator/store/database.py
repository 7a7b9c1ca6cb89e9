"""The database behind the record: SQLite in WAL mode, one writer, many readers, blocking calls in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from remediator.model.errors import NoRoom
from remediator.store import hosts
from remediator.store.room import explained, no_room
from remediator.store.sqlitefile import Way, sqlite_engine, url, ways

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class _Engines:
    way: Way
    writer: sa.Engine
    reader: sa.Engine

    @classmethod
    def make(cls, path: Path, way: Way) -> "_Engines":
        begin = "BEGIN" if way == "frozen" else "BEGIN IMMEDIATE"
        return cls(
            way,
            sqlite_engine(path, way, begin=begin, pool_size=1, max_overflow=0),
            sqlite_engine(path, way, begin="BEGIN", pool_size=4, max_overflow=0),
        )

    def dispose(self) -> None:
        self.reader.dispose()
        self.writer.dispose()


def newest_version() -> str:
    """The revision of the newest migration: what its file's name begins with."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return version


def _touch(connection: sa.Connection) -> None:
    """Writes something, which changes nothing."""
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA user_version = {int(version)}")


class Database:
    """One SQLite file with its tables migrated to the newest version.

    On a full disk it can be opened and read, unless its tables are to be brought up to date first. Whatever cannot be
    written for want of room raises NoRoom.

    on_room: called after each write with why there was no room for it, empty when there was; from another thread.
    host: the name of this machine, which its rows carry.
    """

    def __init__(self, path: Path, on_room: Callable[[str], None] = lambda _: None, *, host: str | None = None) -> None:
        self.host = host or hosts.this_host()
        self._path = path
        self._on_room = on_room
        self._engines: _Engines | None = None
        self._full: NoRoom | None = None
        """Why it could be opened only to read."""
        self._write_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-write")
        self._read_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="store-read")

    @property
    def url(self) -> str:
        """For another library that is to use the same file from this process."""
        return url(self._path, self._opened().way).render_as_string(hide_password=False)

    async def migrate(self) -> None:
        """Opens the file and brings the tables up to date. Keeps every row. May be called again.

        Raises NoRoom, and sqlalchemy.exc.DBAPIError.
        """
        await asyncio.get_running_loop().run_in_executor(self._write_thread, self._migrate)

    def _migrate(self) -> None:
        self._open()
        # First a look: what only reads must not need room on the disk, nor wait for whoever writes.
        if self._in(self._opened().reader, _version) != newest_version():
            self._upgrade()
        # The file is one machine's: where that has another name now, the rows follow. In vain without room; before
        # anything is done, this is called again.
        engines = self._opened()
        with suppress(NoRoom):
            if engines.way != "frozen" and self._in(engines.reader, partial(hosts.strangers, host=self.host)):
                self._in(engines.writer, partial(hosts.adopt, host=self.host))

    def _upgrade(self) -> None:
        # Imported only here: it would stay in memory for nothing.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))

        def upgrade(connection: sa.Connection) -> None:
            config.attributes.update(connection=connection, host=self.host)
            command.upgrade(config, "head")

        self._in(self._opened().writer, upgrade)

    def _open(self) -> None:
        """Opens the file in the best way that works. One that could be opened only to read is tried again."""
        if self._engines is not None and self._engines.way != "frozen":
            return
        full: NoRoom | None = None
        for way in ways(self._path):
            engines = _Engines.make(self._path, way)
            try:
                with engines.reader.begin() as connection:
                    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
            except sa.exc.DBAPIError as error:
                engines.dispose()
                full = no_room(error, self._path.parent)
                if full is None:
                    raise
            else:
                former, self._engines = self._engines, engines
                self._full = full if way == "frozen" else None
                if former is not None:
                    former.dispose()
                return
        assert full is not None, "there is at least one way to open a database"
        raise full

    async def require_room(self) -> None:
        """Raises NoRoom when the file could be opened only to read, or when nothing can be written to it."""
        if self._full is not None:
            raise self._full
        await self.write(_touch)

    def _opened(self) -> _Engines:
        assert self._engines is not None, "the database is opened before it is used"
        return self._engines

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of ``work`` in one transaction, on disk when this returns.

        Raises NoRoom, and sqlalchemy.exc.DBAPIError.
        """
        return await asyncio.get_running_loop().run_in_executor(self._write_thread, self._write, work)

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            result = self._in(self._opened().writer, work)
        except NoRoom as error:
            self._on_room(str(error))
            raise
        self._on_room("")
        return result

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of ``work`` on one consistent view of the data."""
        return await asyncio.get_running_loop().run_in_executor(
            self._read_threads, lambda: self._in(self._opened().reader, work)
        )

    def _in(self, engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
        with explained(self._path.parent), engine.begin() as connection:
            return work(connection)

    async def close(self) -> None:
        """Ends after what is under way is done."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._read_threads.shutdown()
        self._write_thread.shutdown()
        if self._engines is not None:
            self._engines.dispose()
