"""The hosts that work on a database: who is there, how busy each is, and calling one of them."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from remediator.store.tables import alerts, hosts, pauses, runs
from remediator.store.upsert import insert

BEAT = 20.0
"""Seconds between two signs of life of a host."""
UP_WITHIN = 3 * BEAT
"""Seconds since the last sign of life in which a host counts as up."""


def now_of(connection: sa.Connection, now: float) -> sa.ColumnElement[float]:
    """The time by the clock that hosts share: the database's; on one machine its own."""
    if connection.dialect.name != "postgresql":
        return sa.literal(now)
    return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float(53))


@dataclass(frozen=True)
class Arrived:
    """A remediator that begins its work. node: the name of its machine. address: of its API. labels: of its config."""

    host: str
    version: str
    node: str
    address: str | None
    labels: Mapping[str, str] = field(default_factory=dict)


def arrive(connection: sa.Connection, one: Arrived, now: float) -> None:
    """A host is there from now on."""
    at = now_of(connection, now)
    values = {
        "version": one.version,
        "node": one.node,
        "address": one.address,
        "labels": dict(one.labels),
        "started_at": at,
        "seen_at": at,
        "stopped_at": None,
    }
    statement = insert(hosts, connection.dialect.name).values(host=one.host, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["host"], set_=values))


def relabel(connection: sa.Connection, host: str, labels: Mapping[str, str]) -> None:
    """The host's config says other labels now."""
    connection.execute(hosts.update().where(hosts.c.host == host).values(labels=dict(labels)))


def leave(connection: sa.Connection, host: str, now: float) -> None:
    """A host ends in order."""
    at = now_of(connection, now)
    connection.execute(hosts.update().where(hosts.c.host == host).values(seen_at=at, stopped_at=at))


def known(connection: sa.Connection, names: Collection[str]) -> set[str]:
    """Those of these hosts that were ever there."""
    return set(connection.scalars(sa.select(hosts.c.host).where(hosts.c.host.in_(names)))) if names else set()


@dataclass(frozen=True)
class Standing:
    """How a host stands. Times are Unix seconds; age: seconds since its last sign of life.

    queue: runs that are queued or under way. waiting: runs that wait for a person. alerts: those that fire and were not
    looked at yet. paused: why everything is paused; None where it is not.
    """

    host: str
    version: str
    node: str
    address: str | None
    started_at: float
    seen_at: float
    stopped_at: float | None
    age: float
    queue: int
    waiting: int
    alerts: int
    paused: str | None
    labels: Mapping[str, str]

    @property
    def up(self) -> bool:
        return self.stopped_at is None and self.age <= UP_WITHIN


def standings(connection: sa.Connection, now: float) -> Sequence[Standing]:
    """Every host that was there within the retention, by name."""
    open_runs: dict[str, list[int]] = {}
    waits = sa.func.sum(sa.case((runs.c.state == "waiting", 1), else_=0))
    counted = sa.select(runs.c.host, sa.func.count(), waits).where(runs.c.state != "finished").group_by(runs.c.host)
    for host, unfinished, waiting in connection.execute(counted):
        open_runs[host] = [unfinished - waiting, waiting]
    undecided = (alerts.c.decided_receptions < alerts.c.receptions, alerts.c.status == "firing")
    by_host = sa.select(alerts.c.host, sa.func.count()).where(*undecided).group_by(alerts.c.host)
    backlog: dict[str | None, int] = {row[0]: row[1] for row in connection.execute(by_host)}
    in_force = (pauses.c.task.is_(None), sa.or_(pauses.c.until.is_(None), pauses.c.until > now))
    held = sa.select(pauses.c.host, pauses.c.reason).where(*in_force)
    paused: dict[str, str] = {row[0]: row[1] for row in connection.execute(held)}
    age = (now_of(connection, now) - hosts.c.seen_at).label("age")
    found = []
    for row in connection.execute(sa.select(hosts, age).order_by(hosts.c.host)):
        queue, waiting = open_runs.get(row.host, [0, 0])
        found.append(
            Standing(
                host=row.host,
                version=row.version,
                node=row.node,
                address=row.address,
                started_at=row.started_at,
                seen_at=row.seen_at,
                stopped_at=row.stopped_at,
                age=float(row.age),
                queue=queue,
                waiting=waiting,
                alerts=backlog.get(row.host, 0),
                paused=paused.get(row.host),
                labels=row.labels or {},
            )
        )
    return found


def channel(host: str) -> str:
    """The name under which a host listens for calls (LISTEN)."""
    return "upkeeper_" + hashlib.sha256(host.encode()).hexdigest()[:32]


EVERYTHING = "everything"
"""What a call says after which a host looks at all again, as when a pause has ended."""


def call(connection: sa.Connection, names: Iterable[str], *, everything: bool = False) -> None:
    """Once the transaction is committed, these hosts look whether there is something for them to do. everything: what
    they had looked at may be another matter now.
    """
    if connection.dialect.name != "postgresql":
        return
    for name in sorted(set(names)):
        said = {"channel": channel(name), "said": EVERYTHING if everything else ""}
        connection.execute(sa.text("SELECT pg_notify(:channel, :said)"), said)


def join_writers(connection: sa.Connection, host: str) -> None:
    """Until the transaction ends, no other one of that host writes: what follows may change what is the host's, as its
    own remediator would.
    """
    if connection.dialect.name != "postgresql":
        return
    from remediator.store.postgresql import WRITERS

    lock = sa.text("SELECT pg_advisory_xact_lock(:ours, hashtext(:host))")
    connection.execute(lock, {"ours": WRITERS, "host": host})
