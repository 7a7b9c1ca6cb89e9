"""Whose turn it is to write to a SQLite file."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from remediator.engine import _sqlite
from remediator.store.turn import Turn


@pytest.fixture
def turn() -> Turn:
    return Turn(patience=0.05)


def _free(turn: Turn) -> bool:
    free = turn.take()
    if free:
        turn.leave()
    return free


def _engine(path: Path, turn: Turn) -> sa.Engine:
    engine = _sqlite(f"sqlite:///{path}", lambda: False, turn)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    return engine


def test_only_one_has_it(turn: Turn) -> None:
    with turn.taken():
        assert not _free(turn)
        with turn.taken():  # in vain: SQLite is asked
            pass
        assert not _free(turn)
    assert _free(turn)


def test_who_waits_goes_on_as_soon_as_it_is_over() -> None:
    turn = Turn()
    turn.take()
    went_on: list[float] = []
    waiting = threading.Thread(target=lambda: (turn.take(), went_on.append(time.monotonic())))
    waiting.start()
    turn.leave()
    waiting.join(10)
    assert went_on
    assert not turn._lock.acquire(blocking=False)


def test_the_engines_transaction_takes_it_when_it_first_writes_and_leaves_it_at_its_end(
    tmp_path: Path, turn: Turn
) -> None:
    engine = _engine(tmp_path / "t.db", turn)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT * FROM t").all()
        assert _free(turn)
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert not _free(turn)
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
    assert _free(turn)
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert _free(turn)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 2
    engine.dispose()


def test_a_turn_that_never_comes_holds_nothing_up(tmp_path: Path, turn: Turn) -> None:
    engine = _engine(tmp_path / "t.db", turn)
    turn.take()
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert not _free(turn), "it was another's, who has it still"
    engine.dispose()
