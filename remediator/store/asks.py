"""What a host is asked to do by another, and its answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from remediator.model.caller import Caller
from remediator.store import fleet
from remediator.store.fleet import now_of
from remediator.store.tables import asks

BEGUN = 102
"""The status while it is being done: 102 Processing, RFC 2518."""


@dataclass(frozen=True)
class Ask:
    """One that waits. given: what the operation is given, by name, as whoever sent it says."""

    id: int
    sender: str
    operation: str
    given: Any
    caller: Caller


def store(
    connection: sa.Connection,
    host: str,
    sender: str,
    operation: str,
    given: Mapping[str, Any],
    caller: Caller,
    *,
    now: float,
    within: float,
) -> int:
    """Asks a host, which is called, to begin with it in so many seconds; the id."""
    at = now_of(connection, now)
    values = {
        "host": host, "sender": sender, "operation": operation, "given": dict(given), "trigger": caller.trigger,
        "caller": caller.name, "asked_at": at, "until": at + within,
    }  # fmt: skip
    key = connection.execute(asks.insert().values(values)).inserted_primary_key
    assert key is not None
    fleet.call(connection, [host])
    return int(key[0])


def open_ones(connection: sa.Connection, host: str) -> list[Ask]:
    """Those that the host has not begun with, oldest first."""
    select = sa.select(asks).where(asks.c.host == host, asks.c.done_at.is_(None), asks.c.status.is_(None))
    return [
        Ask(row.id, row.sender, row.operation, row.given, Caller(row.trigger, row.caller))
        for row in connection.execute(select.order_by(asks.c.id))
    ]


def begin(connection: sa.Connection, ask_id: int, now: float) -> bool:
    """The host does it from now on; False where it is too late for that, or taken back."""
    free = (asks.c.id == ask_id, asks.c.status.is_(None), asks.c.until > now_of(connection, now))
    return connection.execute(asks.update().where(*free).values(status=BEGUN)).rowcount == 1


def answer(connection: sa.Connection, ask_id: int, status: int, said: Any, now: float) -> None:
    """What came of it."""
    values = {"done_at": now_of(connection, now), "status": status, "answer": said}
    connection.execute(asks.update().where(asks.c.id == ask_id).values(values))


def broke_off(connection: sa.Connection, host: str, said: Any, now: float) -> None:
    """What the host's former process had begun with, nobody goes on with."""
    mine = (asks.c.host == host, asks.c.done_at.is_(None), asks.c.status == BEGUN)
    values = {"done_at": now_of(connection, now), "status": 500, "answer": said}
    connection.execute(asks.update().where(*mine).values(values))


def answered(connection: sa.Connection, ask_id: int) -> tuple[int, Any] | None:
    """Status and answer of one that is done; None of another."""
    select = sa.select(asks.c.status, asks.c.answer).where(asks.c.id == ask_id, asks.c.done_at.is_not(None))
    row = connection.execute(select).first()
    return None if row is None else (int(row.status), row.answer)


def take_back(connection: sa.Connection, ask_id: int) -> bool:
    """Nobody is to begin with it any more; False where somebody has."""
    return connection.execute(asks.delete().where(asks.c.id == ask_id, asks.c.status.is_(None))).rowcount == 1
