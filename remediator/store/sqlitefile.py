"""The ways to open one SQLite file in WAL mode, and which of them a file system bears.

In WAL mode the processes that use a database share an index in ``NAME-shm``, which each maps into its memory. Where a
file system puts what is written anew (btrfs), or a page needs more than one block, a write into that map finds no room
on a full disk, and the kernel kills the process with SIGBUS; no error can be caught. There, and where the file cannot
even be made, the index is kept in the process's own memory, and no other process can use the database meanwhile.
"""

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event

from remediator.store.room import mounted_at

Way = Literal["shared", "exclusive", "frozen"]
"""``shared``: with the index in a file. ``exclusive``: with the index in memory (SQLite's VFS ``unix-excl``).
``frozen``: only to read, making no file at all; right only while nobody writes."""

_QUERY: dict[Way, dict[str, str]] = {
    "shared": {},
    "exclusive": {"vfs": "unix-excl", "uri": "true"},
    "frozen": {"immutable": "1", "uri": "true"},
}

_IN_PLACE = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs"})
"""File systems where a block that was written once is written again without room for another one."""


def ways(path: Path) -> Sequence[Way]:
    """The ways to try for a database, best first."""
    mount = mounted_at(path)
    log = path.with_name(f"{path.name}-wal")
    all_in_file = path.exists() and not (log.exists() and log.stat().st_size)
    return choose(mount.fstype if mount else "", os.statvfs(path.parent).f_bsize, all_in_file=all_in_file)


def choose(fstype: str, block_size: int, *, all_in_file: bool) -> Sequence[Way]:
    """As ``ways``. Pure. all_in_file: the database exists, and its write-ahead log holds nothing that it lacks."""
    mapped = fstype in _IN_PLACE and block_size >= mmap.PAGESIZE
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
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
