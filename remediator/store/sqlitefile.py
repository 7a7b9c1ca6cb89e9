"""One SQLite file in WAL mode: the ways to open it, and which of them a file system bears.

In WAL mode the processes that use a database share an index in ``NAME-shm``, which each maps into its memory. Where a
file system puts what is written anew (btrfs), or a page needs more than one block, a write into that map finds no room
on a full disk, and the kernel kills the process with SIGBUS; no error can be caught. There, and where the file cannot
even be made, the index is kept in the process's own memory, and no other process can use the database meanwhile.
"""

import mmap
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event

from remediator.model.errors import NoRoom
from remediator.store.room import IN_PLACE, explained, may_lack_room, mounted_at, no_room
from remediator.store.turn import Turn

T = TypeVar("T")

Way = Literal["shared", "exclusive", "frozen"]
"""``shared``: with the index in a file. ``exclusive``: with the index in memory (SQLite's VFS ``unix-excl``).
``frozen``: only to read, making no file at all; right only while nobody writes."""

_QUERY: dict[Way, dict[str, str]] = {
    "shared": {},
    "exclusive": {"vfs": "unix-excl", "uri": "true"},
    "frozen": {"immutable": "1", "uri": "true"},
}


def ways(path: Path) -> Sequence[Way]:
    """The ways to try for a database, best first."""
    mount = mounted_at(path)
    log = path.with_name(f"{path.name}-wal")
    all_in_file = path.exists() and not (log.exists() and log.stat().st_size)
    return choose(mount.fstype if mount else "", os.statvfs(path.parent).f_bsize, all_in_file=all_in_file)


def choose(fstype: str, block_size: int, *, all_in_file: bool) -> Sequence[Way]:
    """As ``ways``. Pure. all_in_file: the database exists, and its write-ahead log holds nothing that it lacks."""
    mapped = fstype in IN_PLACE and block_size >= mmap.PAGESIZE
    shared: tuple[Way, ...] = ("shared",) if mapped else ()
    frozen: tuple[Way, ...] = ("frozen",) if all_in_file else ()
    return (*shared, "exclusive", *frozen)


def url(path: Path, way: Way) -> sa.URL:
    """The database's URL for SQLAlchemy."""
    query = _QUERY[way]
    return sa.URL.create("sqlite", database=f"file:{quote(str(path))}" if query else str(path), query=query)


def sqlite_engine(path: Path, way: Way, *, begin: str, **settings: Any) -> sa.Engine:
    """An engine on one SQLite file: WAL, every commit on disk before it returns, waits 30 s for a lock.

    begin: the statement that opens a transaction. ``BEGIN IMMEDIATE`` for whoever writes after reading, since a
    read lock cannot be raised without risking "database is locked" (https://sqlite.org/lang_transaction.html).
    """
    engine = sa.create_engine(url(path, way), **settings)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where _begin says, not where the driver guesses
        for pragma in (
            "busy_timeout=30000",
            "temp_store=MEMORY",  # its temporary files would want room, on whatever disk they are
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


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


class SqliteFile:
    """The Backend of one machine. A file that can be opened only to read on a full disk is tried again.

    on_room, make_room: as the Database's. chain: a host, and what its chain is called here.
    """

    one_machine = True

    def __init__(
        self,
        path: Path,
        on_room: Callable[[str], None],
        make_room: Callable[[], bool],
        chain: tuple[str, str] | None = None,
    ) -> None:
        self._options = {} if chain is None else {"chain": chain}
        self._path = path
        self._on_room = on_room
        self._make_room = make_room
        self._engines: _Engines | None = None
        self.turn = Turn()
        self._full: NoRoom | None = None
        """Why it could be opened only to read."""

    @property
    def url(self) -> str:
        return url(self._path, self._opened().way).render_as_string(hide_password=False)

    def open(self) -> bool:
        if self._engines is None or self._engines.way == "frozen":
            self._open()
        return self._opened().way != "frozen"

    def _open(self) -> None:
        """Opens the file in the best way that works."""
        full: NoRoom | None = None
        for way in ways(self._path):
            opened = self._try(way)
            while isinstance(opened, NoRoom) and self._make_room():
                opened = self._try(way)
            if isinstance(opened, NoRoom):
                full = opened
                continue
            former, self._engines = self._engines, opened
            self._full = full if way == "frozen" else None
            if former is not None:
                former.dispose()
            return
        assert full is not None, "there is at least one way to open a database"
        raise full

    def _try(self, way: Way) -> "_Engines | NoRoom":
        engines = _Engines.make(self._path, way)
        try:
            with engines.reader.begin() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        except sa.exc.DBAPIError as error:
            engines.dispose()
            full = no_room(error, self._path.parent)
            if full is None:
                raise
            return full
        return engines

    def _opened(self) -> _Engines:
        assert self._engines is not None, "the database is opened before it is used"
        return self._engines

    def require_room(self) -> None:
        if self._full is not None:
            raise self._full

    def touch(self, connection: sa.Connection) -> None:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA user_version = {int(version)}")

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        wrote = False

        def watched(connection: sa.Connection) -> T:
            nonlocal wrote
            before = _changes(connection)
            result = work(connection)
            wrote = _changes(connection) != before
            return result

        while True:
            try:
                with self.turn.taken():
                    result = self._in(self._opened().writer, watched)
                break
            except NoRoom as error:
                if not self._make_room():
                    self._on_room(str(error))
                    raise
            except sa.exc.DBAPIError as error:
                if not may_lack_room(error) or not self._make_room():
                    raise
        if wrote:  # a transaction that found nothing to change needs no room
            self._on_room("")
        return result

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        return self._in(self._opened().reader, work)

    def _in(self, engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
        with explained(self._path.parent), engine.begin() as connection:
            return work(connection.execution_options(**self._options) if self._options else connection)

    def prepare_migration(self, connection: sa.Connection) -> None:
        """Nobody else writes during any transaction."""

    def abort(self) -> None:
        """A file answers."""

    def close(self) -> None:
        if self._engines is not None:
            self._engines.dispose()


def _changes(connection: sa.Connection) -> int:
    """How many rows the connection has changed since it was opened."""
    driver: Any = connection.connection.dbapi_connection
    return int(driver.total_changes)
