"""What holds runs back: pauses, breakers that were closed by hand, earlier runs."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.model.caller import Caller
from remediator.model.hold import PastRun, Pause
from remediator.store import audit
from remediator.store.tables import actions, breaker_resets, pauses, runs

Place = tuple[str, str, str]
"""A host, a task and a target."""

REMEMBERED_RUNS = 200
"""More than any rate or breaker setting can sensibly count on one target in a day."""
NOT_HELPED = sa.text("runs.outcome IN ('ineffective', 'failed')")
"""As the index of these runs has it: a database cannot tell of parameters what they will be."""


# Statements that every batch of alerts uses are built once, since building one takes as long as running it.
_PAUSES = (
    sa.select(pauses)
    .where(
        pauses.c.host == sa.bindparam("host"),
        sa.or_(pauses.c.until.is_(None), pauses.c.until > sa.bindparam("now", type_=pauses.c.until.type)),
    )
    .order_by(pauses.c.id)
)
_UNFINISHED = sa.select(runs.c.id, runs.c.host, runs.c.task, runs.c.target).where(sa.text("runs.state != 'finished'"))
_CLOSED = sa.select(breaker_resets.c.host, breaker_resets.c.task, breaker_resets.c.target, breaker_resets.c.at)


def active_pauses(connection: sa.Connection, host: str, now: float) -> Sequence[Pause]:
    """Pauses in force on the host, oldest first."""
    rows = connection.execute(_PAUSES, {"host": host, "now": now})
    return [Pause(row.task, row.reason, row.since, row.until, Caller(row.trigger, row.caller)) for row in rows]


def cut_short(connection: sa.Connection, host: str, hold: Pause) -> Pause | None:
    """The pause of the same by somebody else that lasts longer: to replace it would end what he relies on."""
    if hold.until is None:
        return None
    for one in active_pauses(connection, host, hold.since):
        longer = one.until is None or one.until > hold.until
        if one.task == hold.task and longer and of_somebody_else(one, hold):
            return one
    return None


def of_somebody_else(one: Pause, hold: Pause) -> bool:
    """Whether two pauses are known to be of two people: by their tokens' names, or those that a provider tells."""
    return bool(one.caller.name and hold.caller.name) and one.caller.name != hold.caller.name


def pause(connection: sa.Connection, host: str, hold: Pause) -> None:
    """Pauses a task of the host, or all of them; replaces an earlier pause of the same."""
    same = pauses.c.task.is_(None) if hold.task is None else pauses.c.task == hold.task
    connection.execute(pauses.delete().where(pauses.c.host == host, same))
    connection.execute(
        pauses.insert().values(
            host=host,
            task=hold.task,
            trigger=hold.caller.trigger,
            caller=hold.caller.name,
            reason=hold.reason,
            since=hold.since,
            until=hold.until,
        )
    )
    seconds = None if hold.until is None else int(hold.until - hold.since)
    body = {"task": hold.task, "reason": hold.reason, "seconds": seconds}
    audit.append(connection, host, Entry("pause.set", hold.since, hold.caller, body))


def resume(connection: sa.Connection, host: str, task: str | None, caller: Caller, now: float) -> int:
    """Ends the pause of a task, or the general one, on the host. Returns the number of pauses ended."""
    same = pauses.c.task.is_(None) if task is None else pauses.c.task == task
    ended = connection.execute(pauses.delete().where(pauses.c.host == host, same)).rowcount
    if ended:
        audit.append(connection, host, Entry("pause.ended", now, caller, {"task": task}))
    return ended


def close_breaker(connection: sa.Connection, host: str, task: str, target: str, caller: Caller, now: float) -> None:
    """Closes a breaker by hand: the host's runs until now no longer count for it."""
    key = {"host": host, "task": task, "target": target}
    same = [breaker_resets.c[name] == value for name, value in key.items()]
    connection.execute(breaker_resets.delete().where(*same))
    connection.execute(breaker_resets.insert().values(**key, trigger=caller.trigger, caller=caller.name, at=now))
    audit.append(connection, host, Entry("breaker.closed", now, caller, {"task": task, "target": target}))


def unfinished_runs(connection: sa.Connection) -> Mapping[Place, Sequence[int]]:
    """The ids of runs that are queued, under way or wait for a person."""
    found: dict[Place, list[int]] = {}
    for run_id, host, task, target in connection.execute(_UNFINISHED):
        found.setdefault((host, task, target), []).append(run_id)
    return found


def breakers_closed(connection: sa.Connection) -> Mapping[Place, float]:
    """When a person last closed a breaker."""
    return {(host, task, target): at for host, task, target, at in connection.execute(_CLOSED)}


def past_runs(
    connection: sa.Connection, place: Place, *, observing: bool = False, limit: int = REMEMBERED_RUNS
) -> Sequence[PastRun]:
    """The finished runs of a task on a target that guards count, newest first, so many at most.

    Only runs that an alert asked for or that tried to change something count: a person who looks does not wear out a
    cooldown; and of a composite its children count, each for its own task. observing: for a remedy that only observes
    its own plans count too, so that they do not pile up.
    """
    host, task, target = place
    values = {"host": host, "task": task, "target": target, "limit": limit}
    past = connection.execute(_past_runs(observing), values)
    return [
        PastRun(row.started_at, row.finished_at, row.outcome == "planned" or _left_well(row.outcome, row.after))
        for row in past
    ]


@cache
def _past_runs(observing: bool) -> sa.Select[Any]:
    acted = sa.exists().where(actions.c.run_id == runs.c.id, actions.c.state.in_(("done", "partial", "failed")))
    child = runs.alias()
    has_children = sa.exists().where(child.c.parent_id == runs.c.id)
    acted_on_purpose = sa.and_(
        sa.not_(has_children),
        runs.c.dry_run.is_(False),
        runs.c.outcome.in_(("effective", "ineffective", "failed")),
        sa.or_(runs.c.trigger == "alert", acted),
    )
    planned = sa.and_(runs.c.dry_run.is_(True), runs.c.outcome == "planned", runs.c.trigger == "alert")
    return (
        sa.select(runs.c.started_at, runs.c.finished_at, runs.c.outcome, runs.c.after)
        .where(
            runs.c.host == sa.bindparam("host"),
            runs.c.task == sa.bindparam("task"),
            runs.c.target == sa.bindparam("target"),
            runs.c.finished_at.is_not(None),
            runs.c.started_at.is_not(None),
            sa.or_(acted_on_purpose, planned) if observing else acted_on_purpose,
        )
        .order_by(runs.c.finished_at.desc(), runs.c.id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer()))
    )


def _left_well(outcome: str, after: Mapping[str, Any] | None) -> bool:
    """Whether a run is no reason to stop trying: even one that partly failed left no breach behind."""
    return outcome == "effective" or (after is not None and not after["breached"])


def not_helped(connection: sa.Connection, host: str, since: float) -> Sequence[tuple[str, str]]:
    """Each (task, target) of the host with a finished run since then that did not help, and none for an alert that was
    effective after it: where a breaker can be open.

    Of others past_runs is not asked: there may be hundreds of targets, and a long past of each.
    """
    rows = connection.execute(_not_helped(), {"of_host": host, "since": since})
    return [(row.task, row.target) for row in rows]


@cache
def _not_helped() -> sa.Select[Any]:
    host = sa.bindparam("of_host", type_=runs.c.host.type)
    since = sa.bindparam("since", type_=runs.c.finished_at.type)
    last = sa.func.max(runs.c.finished_at).label("last")
    failed = (
        sa.select(runs.c.task, runs.c.target, last)
        .where(runs.c.host == host, runs.c.finished_at > since, runs.c.dry_run.is_(False), NOT_HELPED)
        .group_by(runs.c.task, runs.c.target)
        .subquery()
    )
    later, child = runs.alias(), runs.alias()
    helped_later = sa.exists().where(
        later.c.host == host,
        later.c.task == failed.c.task,
        later.c.target == failed.c.target,
        later.c.finished_at > failed.c.last,
        later.c.outcome == "effective",
        # What a person asked for counts only if it did something, and a composite never does.
        later.c.trigger == "alert",
        later.c.dry_run.is_(False),
        sa.not_(sa.exists().where(child.c.parent_id == later.c.id)),
    )
    return sa.select(failed.c.task, failed.c.target).where(sa.not_(helped_later))
