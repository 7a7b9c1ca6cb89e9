"""A smaller copy takes the place of a database, or everything is as it was: killed at each line of it too."""

import os
import signal
import sqlite3
import stat
import sys
import threading
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from exporter.sqlite.header import read_header
from remediator.model.task import TaskError
from remediator.tasks.sqlite_shrink import shrink as module
from remediator.tasks.sqlite_shrink.shrink import BESIDE, Shrunk, shrink
from tests.helpers import long_form

MODES = ("wal", "delete")
KEPT = [(number, f"kept {number}") for number in range(1, 41)]


def sql(path: Path, *statements: str) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        return [database.execute(each).fetchall() for each in statements][-1]


def lay(path: Path, mode: str) -> None:
    """A database most of which holds nothing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute("PRAGMA user_version = 42")
        database.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, x TEXT)")
        database.execute('CREATE TABLE "odd "" name" (x)')
        database.execute("CREATE INDEX by_x ON t (x)")
        database.execute("CREATE VIEW v AS SELECT x FROM t")
        database.execute("BEGIN")
        database.executemany("INSERT INTO t VALUES (?, ?)", KEPT)
        database.executemany("INSERT INTO t VALUES (?, ?)", [(number, "x" * 900) for number in range(100, 500)])
        database.execute("COMMIT")
        database.execute("DELETE FROM t WHERE i >= 100")


def run(path: Path) -> Shrunk:
    return shrink(path, threading.Event())


def beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir() if each != path)


@pytest.mark.parametrize("mode", MODES)
def test_a_database_is_smaller_and_the_same(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "database.sqlite"
    lay(path, mode)
    path.chmod(0o640)
    os.setxattr(path, "user.note", b"kept")
    if os.geteuid() == 0:
        os.chown(path, 1234, 5678)
    before = path.stat()
    done = run(path)
    after = path.stat()
    assert (done.before, done.after) == (before.st_size, after.st_size)
    assert after.st_size < before.st_size / 5
    assert sql(path, "SELECT * FROM t ORDER BY i") == KEPT
    assert sql(path, "PRAGMA journal_mode") == [(mode,)]
    assert sql(path, "PRAGMA user_version") == [(42,)]
    assert sql(path, "SELECT count(*) FROM v") == [(40,)]
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, 0o640)
    assert os.getxattr(path, "user.note") == b"kept"
    assert after.st_ino != before.st_ino
    assert beside(path) == []
    assert read_header(str(path)).free_pages == 0
    assert run(path).after == after.st_size, "once more changes nothing"


def test_what_is_only_in_the_log_is_copied_too(tmp_path: Path) -> None:
    """As a program leaves it that was killed: rows that are in the log and not in the database."""
    path = tmp_path / "x"
    lay(path, "wal")
    pid = os.fork()
    if pid == 0:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("INSERT INTO t VALUES (77, 'only in the log')")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert path.with_name("x-wal").stat().st_size > 0
    run(path)
    assert sql(path, "SELECT x FROM t WHERE i = 77") == [("only in the log",)]
    assert beside(path) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("statement", ["SELECT * FROM t", "BEGIN IMMEDIATE"])
def test_a_database_that_somebody_has_open_is_left_alone(
    tmp_path: Path, mode: str, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    lay(path, mode)
    before = path.read_bytes()
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute(statement).fetchmany(1) if statement.startswith("SELECT") else None
        if statement.startswith("BEGIN"):
            other.execute("INSERT INTO t VALUES (1000, '')")
        with pytest.raises(TaskError, match="somebody has"):
            run(path)
        other.execute("ROLLBACK")
    assert path.read_bytes() == before
    assert [name for name in beside(path) if not name.endswith(BESIDE)] == []


@pytest.mark.parametrize("mode", MODES)
def test_a_program_that_has_it_open_and_rests_is_found(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds no lock, and would go on writing to the database that was put aside."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    path = tmp_path / "x"
    lay(path, mode)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("SELECT * FROM t").fetchall()
        with pytest.raises(TaskError, match="open"):
            run(path)
        other.execute("INSERT INTO t VALUES (98, 'afterwards')")
    assert sql(path, "SELECT x FROM t WHERE i = 98") == [("afterwards",)]
    assert beside(path) == []


@pytest.mark.parametrize("problem", ["missing", "link", "two names", "no database", "no room", "damaged", "stopped"])
def test_what_cannot_be_shrunk_says_why_and_is_as_it_was(
    tmp_path: Path, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stop = tmp_path / "x", threading.Event()
    lay(path, "wal")
    if problem == "missing":
        path.unlink()
    elif problem == "link":
        path.rename(tmp_path / "y")
        path.symlink_to("y")
    elif problem == "two names":
        os.link(path, tmp_path / "y")
    elif problem == "no database":
        path.write_bytes(b"z" * 5000)
    elif problem == "no room":
        monkeypatch.setattr(module, "room_for", lambda size: 2**62)
    elif problem == "damaged":
        content = bytearray(path.read_bytes())
        content[4096 + 1000 : 8192] = os.urandom(4096 - 1000)
        path.write_bytes(content)
    else:
        stop.set()
    before, names = None if problem == "missing" else path.read_bytes(), beside(path)
    with pytest.raises((TaskError, sqlite3.Error)):
        shrink(path, stop)
    assert path.exists() == (before is not None)
    assert before is None or path.read_bytes() == before
    assert beside(path) == names


def test_somebody_who_comes_at_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the last look and the exchange: what he wrote is kept."""
    path = tmp_path / "x"
    lay(path, "delete")
    real, come = module.exchange, []

    def late(folder: int, one: str, other: str) -> bool:
        if not come:
            come.append(sql(path, "INSERT INTO t VALUES (99, 'late')"))
        return real(folder, one, other)

    monkeypatch.setattr(module, "exchange", late)
    with pytest.raises(TaskError, match="at the last moment"):
        run(path)
    assert sql(path, "SELECT x FROM t WHERE i = 99") == [("late",)]
    assert beside(path) == []


def killed_at(path: Path, line: int) -> bool:
    """Whether the process was killed when it came to this many lines of the module; else it was done before."""
    pid = os.fork()
    if pid == 0:
        count = [0]

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            if frame.f_code.co_filename != module.__file__:
                return None
            if event == "line":
                count[0] += 1
                if count[0] == line:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            run(path)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("mode", MODES)
def test_killed_at_any_line_nothing_is_lost(tmp_path: Path, mode: str) -> None:
    """Every line in the long form, every seventh else."""
    first = tmp_path / "first"
    lay(first, mode)
    line, kills = 1, 0
    while True:
        path = tmp_path / str(line) / "x"
        path.parent.mkdir()
        path.write_bytes(first.read_bytes())
        if not killed_at(path, line):
            break
        kills += 1
        whole = sql(path, "PRAGMA integrity_check", "SELECT * FROM t ORDER BY i")
        assert whole == KEPT, line
        run(path)
        assert sql(path, "SELECT * FROM t ORDER BY i") == KEPT, line
        assert beside(path) == [], line
        line += 1 if long_form() else 7
    assert kills > (80 if long_form() else 11)
