"""SQLite databases, through SQLite's own backup: whole, whatever is being written to them."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import JsonValue

from remediator.model.task import TaskError
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.backup.sources.source import Copied
from remediator.tasks.worker import in_thread

_PAGES = 2048
"""Copied before it is looked whether to stop."""
_BUSY_SECONDS = 60.0
_BESIDE = ("-journal", "-wal", "-shm")
_TABLES = """
    SELECT name FROM sqlite_master
    WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND sql NOT LIKE 'CREATE VIRTUAL%'
"""


@dataclass(frozen=True)
class Sqlite:
    """A database file on this machine."""

    name: str
    path: str
    kind: str = "sqlite"

    def __str__(self) -> str:
        return f"SQLite database {self.path}"

    async def size(self) -> int | None:
        try:
            return (await in_thread(lambda _: Path(self.path).stat())).st_size
        except OSError as error:
            raise TaskError(f"cannot read {self.path}: {error.strerror}") from error

    async def copy(self, into: Into) -> Copied:
        return await in_thread(lambda stop: copy_database(self.path, into, self.name, stop))


def copy_database(database: str, into: Into, name: str, stop: threading.Event) -> Copied:
    """A copy of one moment, and how many rows each table had then. Blocks. Raises TaskError, OSError."""
    path = f"sqlite/{name}.sqlite"
    if not Path(database).is_file():
        raise TaskError(f"{database} is not there, or is no file; correct its path in make.sqlite[{name}]")
    with into.whole_file(path, _bytes(database)) as target:
        for leftover in (target, *(target.with_name(f"{target.name}{end}") for end in _BESIDE)):
            leftover.unlink(missing_ok=True)
        target.touch(mode=0o600)
        try:
            _copy(database, target, stop)
            facts = describe(target)
        except sqlite3.Error as error:
            raise TaskError(f"SQLite cannot copy {database}: {error}") from error
        return Copied([into.taken(target, path, f"sqlite:{database}", stop)], facts)


def _bytes(database: str) -> int:
    """That a copy takes at most: of the file, and of what is in the log that belongs to it."""
    files = (Path(database), Path(f"{database}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _copy(database: str, target: Path, stop: threading.Event) -> None:
    def go_on(status: int, remaining: int, total: int) -> None:
        if stop.is_set():
            raise Stopped

    source = sqlite3.connect(_uri(database, "mode=ro"), uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    with closing(source), closing(sqlite3.connect(target)) as sink:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it is one moment that is read
        source.backup(sink, pages=_PAGES, progress=go_on)


def describe(path: Path) -> dict[str, JsonValue]:
    """What a restore is compared with: rows of each table, and what the file is. Blocks. Raises sqlite3.Error."""
    with closing(sqlite3.connect(_uri(str(path), "mode=ro&immutable=1"), uri=True)) as database:
        tables = [str(row[0]) for row in database.execute(_TABLES)]
        counts: dict[str, JsonValue] = {}
        for table in sorted(tables):
            quoted = '"' + table.replace('"', '""') + '"'
            counts[table] = int(database.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0])  # noqa: S608
        return {
            "rows": counts,
            "pages": int(database.execute("PRAGMA page_count").fetchone()[0]),
            "user_version": int(database.execute("PRAGMA user_version").fetchone()[0]),
            "client_version": sqlite3.sqlite_version,
        }


def complaints(path: Path) -> list[str]:
    """What SQLite's own check finds wrong with a file that nobody writes to; nothing where it is sound. Blocks."""
    try:
        with closing(sqlite3.connect(_uri(str(path), "mode=ro&immutable=1"), uri=True)) as database:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _uri(path: str, options: str) -> str:
    return f"file:{quote(path)}?{options}"
