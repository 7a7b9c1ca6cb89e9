"""Episodes of alerts: what Alertmanager sent, and which of them are to be looked at, now or later."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from remediator.model.alert import ReceivedAlert
from remediator.store import fleet
from remediator.store.tables import HEARD_AT, alerts, decisions, runs
from remediator.store.upsert import insert

HELD_BACK_BY_ANY = ("concurrency", "budget")
"""Guards that the end of any run of the host may satisfy."""
CHANGED_AT_ONCE = 200
"""Episodes that one transaction settles or makes due: few enough for the webhook that waits for it."""


@dataclass(frozen=True)
class Waiting:
    """A firing episode to be looked at. Times are Unix seconds.

    receptions: how often it came so far; decided_receptions: how often of that it was looked at.
    superseded: the same alert has started again since, so this episode is over although its end was never reported.
    heard_at: when it was last received, or seen in Alertmanager. muted: why people did not hear of it by then.
    follows: it was not looked at yet, and there is an earlier episode of the same alert. overtaken: a later one fires,
    so this is late news, or what one of several Alertmanagers has. no_host: why its labels name no host of the fleet.
    """

    id: int
    labels: Mapping[str, str]
    receptions: int
    decided_receptions: int
    heard_at: float
    superseded: bool
    muted: str | None = None
    follows: bool = False
    overtaken: bool = False
    first_received_at: float = 0.0
    no_host: str | None = None

    @property
    def came(self) -> bool:
        """It was received since it was last looked at; else it is due."""
        return self.decided_receptions < self.receptions


@dataclass(frozen=True)
class Looked:
    """An episode that was looked at as far as it had been received, and when to look again."""

    alert: Waiting
    due_at: float | None


class Routed(Protocol):
    """Whose an alert is. no_host: why its labels name no host; then the host is one that received it."""

    @property
    def host(self) -> str: ...
    @property
    def no_host(self) -> str | None: ...


class Router(Protocol):
    """How the hosts that share a database tell whose an alert is."""

    own: str

    def of(self, labels: Mapping[str, str]) -> Routed: ...

    def unknown(self, host: str) -> Routed:
        """The labels name a host that there is not."""


class _Nobodys(NamedTuple):
    """On one machine's own database."""

    host: None = None
    no_host: None = None


@cache
def _upsert(dialect: str) -> sa.Insert:
    """Made once, since making it takes as long as storing twenty alerts."""
    statement = insert(alerts, dialect)
    new = statement.excluded
    # Of hosts that take the same alert, one may not know whose it is.
    lost, routed = new.no_host.is_not(None), alerts.c.no_host.is_(None)
    ended = alerts.c.status == "resolved"
    return statement.on_conflict_do_update(
        index_elements=["fingerprint", "starts_at"],
        set_={
            "status": sa.case((ended, "resolved"), else_=new.status),
            "ends_at": sa.case((ended, alerts.c.ends_at), else_=new.ends_at),
            "labels": new.labels,
            "annotations": new.annotations,
            "generator_url": new.generator_url,
            "last_received_at": new.last_received_at,
            "muted": None,  # who is told of it, so are people
            "receptions": alerts.c.receptions + 1,
            "due_at": sa.case((sa.or_(ended, new.status == "resolved"), None), else_=alerts.c.due_at),
            "host": sa.case((sa.and_(lost, alerts.c.host.is_not(None)), alerts.c.host), else_=new.host),
            "no_host": sa.case((sa.and_(lost, alerts.c.host.is_not(None), routed), None), else_=new.no_host),
        },
    )


def accept(
    connection: sa.Connection, received: Iterable[tuple[ReceivedAlert, float]], router: Router | None = None
) -> frozenset[str]:
    """Stores alerts with the time each was received; the other hosts whose some are. A repeat of an episode updates it
    and is decided again.

    An alert that resolved ends its episode for good: a late, out-of-order "firing" does not open it again.
    router: whose each is, where hosts share the database. The others are called to decide about theirs.
    """
    received = list(received)
    if router is not None:  # in one order, so that hosts that take the same alerts do not wait for each other in a ring
        received.sort(key=lambda one: one[0].fingerprint)
    routes = _routes(connection, [alert for alert, _ in received], router)
    rows = [
        {
            "fingerprint": alert.fingerprint,
            "starts_at": alert.starts_at,
            "ends_at": alert.ends_at if alert.status == "resolved" else None,
            "status": alert.status,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "generator_url": alert.generator_url.replace(
                "\0", "\N{REPLACEMENT CHARACTER}"
            ),  # PostgreSQL cannot store one in a text
            "first_received_at": at,
            "last_received_at": at,
            "receptions": 1,
            "decided_receptions": 0,
            "host": route.host,
            "no_host": route.no_host,
        }
        for (alert, at), route in zip(received, routes, strict=True)
    ]
    if not rows:
        return frozenset()
    connection.execute(_upsert(connection.dialect.name), rows)
    if router is None:
        return frozenset()
    others = frozenset(route.host for route in routes if route.host) - {router.own}
    fleet.call(connection, others)
    return others


def _routes(
    connection: sa.Connection, received: Sequence[ReceivedAlert], router: Router | None
) -> Sequence[Routed | _Nobodys]:
    if router is None:
        return [_Nobodys()] * len(received)
    routes = [router.of(alert.labels) for alert in received]
    there = fleet.known(connection, {route.host for route in routes} - {router.own}) | {router.own}
    return [route if route.host in there else router.unknown(route.host) for route in routes]


def waiting(connection: sa.Connection, now: float, limit: int, host: str | None = None) -> Sequence[Waiting]:
    """Firing episodes to be looked at: those that came, oldest first, then those that are due.

    host: only this host's, where several share the database.
    """
    mine = {} if host is None else {"of_host": host}
    fleet = host is not None
    found = [Waiting(*row) for row in connection.execute(_came(fleet), {"limit": limit, **mine})]
    if len(found) < limit:
        rest = {"now": now, "limit": limit - len(found), **mine}
        found += [Waiting(*row) for row in connection.execute(_due(fleet), rest)]
    return found


def has_ended(connection: sa.Connection, host: str | None = None) -> bool:
    """Whether one of those that came first, and were not looked at, has ended: see ``settle_ended``."""
    mine = {} if host is None else {"of_host": host}
    return connection.execute(_ended(host is not None), {"limit": CHANGED_AT_ONCE, **mine}).first() is not None


def settle_ended(connection: sa.Connection, host: str | None = None) -> None:
    """There is nothing to decide about those that have ended, of the first that came: in a storm thousands wait, and a
    look for those that fire must not pass them all.
    """
    mine = {} if host is None else {"of_host": host}
    connection.execute(_settle(host is not None), {"limit": CHANGED_AT_ONCE, **mine})


def _mine(fleet: bool) -> Sequence[sa.ColumnElement[bool]]:
    """A condition that takes the parameter ``of_host``, where several share the database."""
    return [alerts.c.host == sa.bindparam("of_host")] if fleet else []


def _of(host: str | None) -> Sequence[sa.ColumnElement[bool]]:
    return [] if host is None else [alerts.c.host == host]


_CAME = alerts.c.decided_receptions < alerts.c.receptions
_LIMIT = sa.bindparam("limit", type_=sa.Integer)


# Made once: making one of them takes as long as asking it.


def _first(fleet: bool) -> sa.Select[Any]:
    return sa.select(alerts.c.id).where(_CAME, *_mine(fleet)).order_by(alerts.c.id).limit(_LIMIT)


@cache
def _ended(fleet: bool) -> sa.Select[Any]:
    first = _first(fleet).subquery()
    return (
        sa.select(alerts.c.id)
        .join(first, first.c.id == alerts.c.id)
        .where(alerts.c.status == "resolved")
        .limit(sa.literal_column("1"))
    )


@cache
def _settle(fleet: bool) -> sa.Update:
    ended = alerts.update().where(alerts.c.id.in_(_first(fleet).scalar_subquery()), alerts.c.status == "resolved")
    return ended.values(decided_receptions=alerts.c.receptions)


@cache
def _came(fleet: bool) -> sa.Select[Any]:
    return _waiting(sa.and_(_CAME, alerts.c.status == "firing", *_mine(fleet)), alerts.c.id)


@cache
def _due(fleet: bool) -> sa.Select[Any]:
    now = sa.bindparam("now", type_=alerts.c.due_at.type)
    due = sa.and_(alerts.c.due_at <= now, alerts.c.status == "firing", sa.not_(_CAME), *_mine(fleet))
    return _waiting(due, alerts.c.due_at)


def _waiting(where: sa.ColumnElement[bool], order: sa.Column[Any]) -> sa.Select[Any]:
    """Episodes to be looked at, as the columns of Waiting; ``limit`` is to be given."""
    later = alerts.alias()
    since = sa.exists().where(later.c.fingerprint == alerts.c.fingerprint, later.c.starts_at > alerts.c.starts_at)
    earlier = alerts.alias()
    follows = sa.and_(
        alerts.c.decided_receptions == 0,
        sa.exists().where(earlier.c.fingerprint == alerts.c.fingerprint, earlier.c.starts_at < alerts.c.starts_at),
    )
    columns = (
        alerts.c.id,
        alerts.c.labels,
        alerts.c.receptions,
        alerts.c.decided_receptions,
        HEARD_AT,
        since,
        alerts.c.muted,
        follows,
        since.where(later.c.status == "firing"),
        alerts.c.first_received_at,
        alerts.c.no_host,
    )
    return sa.select(*columns).where(where).order_by(order, alerts.c.id).limit(_LIMIT)


_FIRING = sa.select(alerts.c.id).where(
    alerts.c.id.in_(sa.bindparam("ids", expanding=True)), alerts.c.status == "firing"
)


def firing(connection: sa.Connection, ids: Collection[int]) -> set[int]:
    """Those of the episodes that have not ended."""
    return set(connection.scalars(_FIRING, {"ids": list(ids)}))


def firing_beside(
    connection: sa.Connection, alert_id: int | None, limit: int, host: str | None = None
) -> list[dict[str, str]]:
    """The labels of the alerts that fire, of this host or all, without this one, the newest first."""
    select = (
        sa.select(alerts.c.labels)
        .where(alerts.c.status == "firing", *_of(host))
        .order_by(alerts.c.id.desc())
        .limit(limit)
    )
    if alert_id is not None:
        select = select.where(alerts.c.id != alert_id)
    return [dict(labels) for labels in connection.scalars(select)]


_SETTLED = (
    alerts.update()
    .where(alerts.c.id == sa.bindparam("alert"))
    .values(decided_receptions=sa.bindparam("decided"), due_at=sa.bindparam("due"))
)


def settle(connection: sa.Connection, looked: Iterable[Looked]) -> None:
    """The alerts have been looked at as far as they had been received."""
    rows = [{"alert": one.alert.id, "decided": one.alert.receptions, "due": one.due_at} for one in looked]
    if rows:
        connection.execute(_SETTLED, rows)


@dataclass(frozen=True)
class Known:
    """What is known of one episode. muted: why people do not hear of it."""

    labels: Mapping[str, str]
    firing: bool
    muted: str | None


def one(connection: sa.Connection, id: int) -> Known | None:
    """The episode of this id; None where there is none."""
    columns = (alerts.c.labels, alerts.c.status, alerts.c.muted)
    row = connection.execute(sa.select(*columns).where(alerts.c.id == id)).one_or_none()
    return None if row is None else Known(row.labels, row.status == "firing", row.muted)


def starts_at(connection: sa.Connection, id: int) -> float | None:
    """When the episode of this id began (Unix seconds); None where there is none."""
    found: float | None = connection.execute(
        sa.select(alerts.c.starts_at).where(alerts.c.id == id)
    ).scalar_one_or_none()
    return found


def began(connection: sa.Connection, since: float, limit: int, host: str | None = None) -> Sequence[float]:
    """When alerts that fire, of this host or all, were first received, newest first: at most so many, and those since
    then (Unix seconds).

    An episode whose end was lost, as the same alert has started again since, does not count; neither does one as which
    an older one goes on.
    """
    later = alerts.alias()
    superseded = sa.exists().where(later.c.fingerprint == alerts.c.fingerprint, later.c.starts_at > alerts.c.starts_at)
    before = alerts.alias()
    goes_on = sa.exists().where(before.c.fingerprint == alerts.c.fingerprint, before.c.continued_by == alerts.c.id)
    recent = (alerts.c.status == "firing", alerts.c.first_received_at > since, *_of(host))
    select = (
        sa.select(alerts.c.first_received_at)
        .where(*recent, sa.not_(superseded), sa.not_(goes_on))
        .order_by(alerts.c.id.desc())  # they are numbered as they come
        .limit(limit)
    )
    return list(connection.scalars(select))


def next_due(connection: sa.Connection, host: str | None = None) -> float | None:
    """When the next episode, of this host or any, is to be looked at (Unix seconds); None when none is."""
    firing = (alerts.c.status == "firing", *_of(host))
    due: float | None = connection.scalar(sa.select(sa.func.min(alerts.c.due_at)).where(*firing))
    return due


def all_due(connection: sa.Connection, now: float, host: str | None = None) -> None:
    """Every firing episode, of this host or any, is to be looked at: what is decided about it may have changed."""
    connection.execute(alerts.update().where(alerts.c.status == "firing", *_of(host)).values(due_at=now))


def due_after_run(connection: sa.Connection, run_id: int, now: float) -> None:
    """A run has ended: the episode that asked for it is to be looked at. See ``held_back_by`` for the others."""
    asked = sa.select(runs.c.alert_id).where(runs.c.id == run_id).scalar_subquery()
    connection.execute(alerts.update().where(alerts.c.status == "firing", alerts.c.id == asked).values(due_at=now))


def held_back_by(connection: sa.Connection, run_id: int, now: float) -> Sequence[int]:
    """Firing episodes that are not due by now, and were held back on the target of a run that has ended, or because one
    of the host's runs was in the way. In a storm they are thousands, and all that fire are passed.
    """
    run = sa.select(runs.c.host, runs.c.task, runs.c.target).where(runs.c.id == run_id).subquery()
    held_back = sa.exists().where(
        decisions.c.alert_id == alerts.c.id,
        decisions.c.verdict == "blocked",
        decisions.c.host == run.c.host,
        sa.or_(
            sa.and_(decisions.c.task == run.c.task, decisions.c.target == run.c.target),
            decisions.c.guard.in_(HELD_BACK_BY_ANY),
        ),
    )
    later = sa.or_(alerts.c.due_at.is_(None), alerts.c.due_at > now)
    select = sa.select(alerts.c.id).where(alerts.c.status == "firing", later, held_back)
    return list(connection.scalars(select.order_by(alerts.c.id)))


_DUE = (
    alerts.update()
    .where(alerts.c.status == "firing", alerts.c.id == sa.bindparam("alert"))
    .values(due_at=sa.bindparam("now"))
)


def due(connection: sa.Connection, ids: Collection[int], now: float) -> None:
    """These episodes are to be looked at."""
    if ids:
        connection.execute(_DUE, [{"alert": id, "now": now} for id in ids])
