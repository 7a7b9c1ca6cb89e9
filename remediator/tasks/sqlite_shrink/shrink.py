"""Puts a smaller copy of a SQLite database in its place. Everything here blocks.

The copy is made and checked while SQLite's own lock keeps everybody else out, and what SQLite keeps beside a database
is gone before the two are exchanged, in one step: a log of the former one would be taken for the new one's. Killed at
any moment, either the former or the new database has its name, whole; what is left beside it has a name of ours.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.backups.room import room_for
from exporter.base.units import format_bytes
from exporter.sqlite.header import NoDatabase, read_header
from remediator.files.attributes import copy_attributes
from remediator.files.linux import exchange
from remediator.files.writers import use_of
from remediator.model.task import TaskError

BESIDE = ("-wal", "-shm", "-journal")
_DRAFT = ".upkeeper-shrinking-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
BUSY_SECONDS = 5.0
"""How long somebody who has the database open may take to leave."""
_STEPS = 20_000
"""Of SQLite's machine, after which it is looked whether to stop."""
_TABLES = """
    SELECT name FROM sqlite_master
    WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND sql NOT LIKE 'CREATE VIRTUAL%'
"""
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2"
_SETTINGS = ("user_version", "application_id", "encoding", "page_size", "auto_vacuum")


@dataclass(frozen=True)
class Shrunk:
    """Bytes of the file."""

    before: int
    after: int


def draft_of(path: Path) -> Path:
    """The name beside a database under which its copy is made, and the former one then goes."""
    return path.with_name(f"{_DRAFT}{path.name}")


def discard_draft(path: Path) -> bool:
    """Removes what an interrupted run left beside a database; whether there was something. Raises OSError."""
    draft, found = draft_of(path), False
    for leftover in (draft, *_beside(draft)):
        found |= os.path.lexists(leftover)
        leftover.unlink(missing_ok=True)
    return found


def require_shrinkable(path: Path) -> int:
    """Bytes that its copy needs. Raises TaskError where it could not be put in its place, and OSError."""
    try:
        at = path.lstat()
    except FileNotFoundError:
        raise TaskError(f"{path} is not there; correct its path in sqlite:") from None
    if not stat.S_ISREG(at.st_mode):
        raise TaskError(f"{path} is no file of its own; name the file that it leads to")
    if at.st_nlink > 1:
        raise TaskError(f"{path} has {at.st_nlink} names (hard links), of which only one would be shrunk")
    if os.path.ismount(path):
        raise TaskError(f"{path} is a mount, which cannot be replaced")
    try:
        header = read_header(str(path))
    except NoDatabase as error:
        raise TaskError(f"{path}: {error}") from None
    log = path.with_name(f"{path.name}-wal")
    needed = header.bytes - header.reclaimable_bytes + (log.stat().st_size if log.exists() else 0)
    system = os.statvfs(path.parent)
    free, wanted = system.f_bavail * system.f_frsize, room_for(needed)
    if free < wanted:
        raise TaskError(
            f"the smaller copy takes about {format_bytes(needed)}, and {path.parent} has {format_bytes(free)} free: "
            f"make room for {format_bytes(wanted)}"
        )
    return needed


def shrink(path: Path, stop: threading.Event) -> Shrunk:
    """Raises TaskError, OSError and sqlite3.Error; then the database is what it was."""
    require_shrinkable(path)
    discard_draft(path)
    draft = draft_of(path)
    before = path.stat().st_size
    try:
        with _alone(path, stop) as database:
            wal = _value(database, "PRAGMA journal_mode") == "wal"
            draft.touch(mode=0o600, exist_ok=False)
            database.execute("VACUUM INTO ?", (str(draft),))
            _require_alike(database, draft, wal=wal, stop=stop)
            if wal:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                # The index of the log that a crash left: whoever is alone works without, and does not remove it.
                path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        left = [each.name for each in _beside(path) if os.path.lexists(each)]
        if left:
            raise TaskError(f"{left[0]} is still there: somebody has {path} open; stop that first")
        _exchange(path, draft)
    finally:
        discard_draft(path)
    return Shrunk(before, path.stat().st_size)


@contextmanager
def _alone(path: Path, stop: threading.Event) -> Iterator[sqlite3.Connection]:
    """The database with nobody else in it, whether reading or writing. What a crash had left in it is rolled back."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as database:
        database.set_progress_handler(lambda: int(stop.is_set()), _STEPS)
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            database.execute("BEGIN EXCLUSIVE")
            database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY":
                raise
            raise TaskError(f"somebody has {path} open: name what uses it in `stop:`, or stop it first") from None
        yield database


def _require_alike(database: sqlite3.Connection, draft: Path, *, wal: bool, stop: threading.Event) -> None:
    """The copy is sound, and holds as many rows of the same tables. Raises TaskError."""
    if stop.is_set():
        raise TaskError("stopped before it was done")
    with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
        copy.set_progress_handler(lambda: int(stop.is_set()), _STEPS)
        if wal:
            copy.execute("PRAGMA journal_mode = WAL")
        said = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(3)")]
        if said != ["ok"]:
            raise TaskError(f"the copy is not sound: {'; '.join(said)}; the database itself may be damaged")
        if _facts(copy) != _facts(database):
            raise TaskError("the copy does not hold what the database holds")


def _facts(database: sqlite3.Connection) -> list[object]:
    found: list[object] = [_value(database, f"PRAGMA {name}") for name in _SETTINGS]
    found += database.execute(_SCHEMA).fetchall()
    for (table,) in database.execute(_TABLES).fetchall():
        quoted = '"' + str(table).replace('"', '""') + '"'
        found.append((table, _value(database, f"SELECT count(*) FROM {quoted}")))  # noqa: S608 - quoted
    return found


def _value(database: sqlite3.Connection, question: str) -> object:
    row = database.execute(question).fetchone()
    return None if row is None else row[0]


def _exchange(path: Path, draft: Path) -> None:
    """In one step; and back, should somebody have written to the former one until then."""
    with path.open("rb") as former, draft.open("rb+") as copy:
        copy_attributes(former.fileno(), copy.fileno(), times=False)
        os.fsync(copy.fileno())
        # Who has it open and is at rest holds no lock, and would go on writing to the former one.
        if use_of(former.fileno()).state == "written":
            raise TaskError(f"somebody has {path} open: name what uses it in `stop:`, or stop it first")
        seen = _version(former.fileno())
        folder = os.open(path.parent, _FOLDER)
        try:
            if not exchange(folder, draft.name, path.name):
                raise TaskError(f"the file system of {path} cannot exchange names, so it is left as it is")
            if _version(former.fileno()) != seen or any(os.path.lexists(each) for each in _beside(path)):
                exchange(folder, draft.name, path.name)
                raise TaskError(f"{path} was opened at the last moment, so it is left as it was; stop what uses it")
            os.fsync(folder)
        finally:
            os.close(folder)


def _version(fd: int) -> tuple[int, int]:
    at = os.fstat(fd)
    return at.st_mtime_ns, at.st_size


def _beside(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{end}") for end in BESIDE]
