"""The database behind the record: SQLite in WAL mode, one writer, many readers, blocking calls in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"


def sqlite_engine(path: Path, *, begin: str, **settings: Any) -> sa.Engine:
    """An engine on one SQLite file: WAL, every commit on disk before it returns, waits 30 s for a lock.

    begin: the statement that opens a transaction. ``BEGIN IMMEDIATE`` for whoever writes after reading, since a
    read lock cannot be raised without risking "database is locked" (https://sqlite.org/lang_transaction.html).
    """
    engine = sa.create_engine(f"sqlite:///{path}", **settings)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where _begin says, not where the driver guesses
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def newest_version() -> str:
    """The revision of the newest migration: what its file's name begins with."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


class Database:
    """One SQLite file with its tables migrated to the newest version."""

    def __init__(self, path: Path) -> None:
        self._writer = sqlite_engine(path, begin="BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
        self._reader = sqlite_engine(path, begin="BEGIN", pool_size=4, max_overflow=0)
        self._write_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-write")
        self._read_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="store-read")

    async def migrate(self) -> None:
        """Brings the tables up to date. Keeps every row."""
        await asyncio.get_running_loop().run_in_executor(self._write_thread, self._migrate)

    def _migrate(self) -> None:
        if self._version() == newest_version():
            return  # without Alembic, which would stay in memory for nothing
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._writer.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self) -> str | None:
        with self._writer.begin() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return version

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of ``work`` in one transaction, on disk when this returns. Raises sqlalchemy.exc.DBAPIError."""
        return await asyncio.get_running_loop().run_in_executor(self._write_thread, self._in, self._writer, work)

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of ``work`` on one consistent view of the data."""
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, self._in, self._reader, work)

    @staticmethod
    def _in(engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
        with engine.begin() as connection:
            return work(connection)

    async def close(self) -> None:
        """Ends after what is under way is done."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._read_threads.shutdown()
        self._write_thread.shutdown()
        self._reader.dispose()
        self._writer.dispose()
