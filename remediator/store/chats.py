"""Messages in chats that ask for approvals: what was asked where, and what each says by now."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from remediator.store.tables import approvals, chat_messages, runs

ASKED, DONE = "asked", "done"


class Wanted(NamedTuple):
    """A message that is to be posted."""

    approval_id: int
    recipient: str


class Behind(NamedTuple):
    """A message that says less than is known. now: what it should say. ended, reason: of the run, once it has ended."""

    id: int
    approval_id: int
    recipient: str
    ref: str
    now: str
    ended: str | None
    reason: str


class Named(NamedTuple):
    """The plan that an answer is about."""

    approval_id: int
    plan_hash: str
    recipient: str


def wanted(
    connection: sa.Connection, host: str, channel: str, recipients: Collection[str], now: float, limit: int
) -> Sequence[Wanted]:
    """Of the plans that wait, those that not everybody has been asked about, oldest first."""
    waits = (approvals.c.host == host, approvals.c.state == "asked", approvals.c.expires_at > now)
    ids = list(connection.scalars(sa.select(approvals.c.id).where(*waits).order_by(approvals.c.id)))
    select = sa.select(chat_messages.c.approval_id, chat_messages.c.recipient).where(
        chat_messages.c.channel == channel, chat_messages.c.approval_id.in_(ids), chat_messages.c.ref.is_not(None)
    )
    posted = {(row.approval_id, row.recipient) for row in connection.execute(select)}
    missing = [Wanted(id, recipient) for id in ids for recipient in recipients if (id, recipient) not in posted]
    return missing[:limit]


def begin(connection: sa.Connection, host: str, channel: str, one: Wanted, secret: str, now: float) -> bool:
    """A message is about to be posted. secret: hash of what an answer to it will name; the one before is void. False
    where nothing is to be posted any more: it has been decided, or a message posted before has been found again.
    """
    key = (chat_messages.c.channel == channel, chat_messages.c.approval_id == one.approval_id,
           chat_messages.c.recipient == one.recipient)  # fmt: skip
    waits = sa.select(approvals.c.id).where(approvals.c.id == one.approval_id, approvals.c.state == "asked")
    there = sa.select(chat_messages.c.id).where(*key, chat_messages.c.ref.is_not(None))
    if connection.scalar(waits) is None or connection.scalar(there) is not None:
        return False
    connection.execute(chat_messages.delete().where(*key))
    connection.execute(
        chat_messages.insert().values(
            host=host,
            channel=channel,
            recipient=one.recipient,
            approval_id=one.approval_id,
            secret=secret,
            shown=ASKED,
            at=now,
        )
    )
    return True


def posted(connection: sa.Connection, secret: str, ref: str) -> None:
    """A message is there, which this finds again; the first word about it counts."""
    unknown = (chat_messages.c.secret == secret, chat_messages.c.ref.is_(None))
    connection.execute(chat_messages.update().where(*unknown).values(ref=ref))


def behind(connection: sa.Connection, host: str, channel: str, limit: int) -> Sequence[Behind]:
    """Messages about what has been decided or has ended since."""
    rows = connection.execute(
        sa.select(
            chat_messages.c.id,
            chat_messages.c.approval_id,
            chat_messages.c.recipient,
            chat_messages.c.ref,
            chat_messages.c.shown,
            approvals.c.state,
            runs.c.outcome,
            runs.c.reason,
        )
        .join(approvals, approvals.c.id == chat_messages.c.approval_id)
        .join(runs, runs.c.id == approvals.c.run_id)
        .where(
            chat_messages.c.host == host,
            chat_messages.c.channel == channel,
            chat_messages.c.ref.is_not(None),
            chat_messages.c.shown != DONE,
            approvals.c.state != "asked",
        )
        .order_by(chat_messages.c.id)
    )
    found = []
    for row in rows:
        over = row.state != "approved" or row.outcome is not None
        now = DONE if over else row.state
        if now != row.shown:
            found.append(Behind(row.id, row.approval_id, row.recipient, row.ref, now, row.outcome, row.reason))
    return found[:limit]


def show(connection: sa.Connection, id: int, now: str) -> None:
    """A message says so by now."""
    connection.execute(chat_messages.update().where(chat_messages.c.id == id).values(shown=now))


def named(connection: sa.Connection, host: str, channel: str, secret: str) -> Named | None:
    """What an answer is about; None where no message of ours has this secret, by its hash."""
    row = connection.execute(
        sa.select(chat_messages.c.approval_id, approvals.c.plan_hash, chat_messages.c.recipient)
        .join(approvals, approvals.c.id == chat_messages.c.approval_id)
        .where(chat_messages.c.host == host, chat_messages.c.channel == channel, chat_messages.c.secret == secret)
    ).first()
    return None if row is None else Named(row.approval_id, row.plan_hash, row.recipient)
