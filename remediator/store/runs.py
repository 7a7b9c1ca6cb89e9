"""Runs and their actions, step by step. Every write here may happen twice: a step is repeated after a crash."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from remediator.audit.record import Entry, Kind
from remediator.model.approval import plan_hash
from remediator.model.caller import Caller
from remediator.model.decision import Try
from remediator.model.run import ActionResult, Request, Run
from remediator.model.task import Action, Measurement, Plan
from remediator.model.words import Outcome, RunState
from remediator.store import audit, lenient, rows
from remediator.store.tables import REMEDY, actions, runs


def create(connection: sa.Connection, request: Request, now: float) -> int:
    """Stores a run to be done; its id. Raises sqlalchemy.exc.IntegrityError when one is in flight on that target."""
    result = connection.execute(
        runs.insert().values(
            host=request.host,
            task=request.task,
            target=request.target,
            params=dict(request.params),
            trigger=request.caller.trigger,
            caller=request.caller.name,
            parent_id=request.parent_id,
            alert_id=request.alert_id,
            dry_run=request.dry_run,
            state="queued",
            reason="",
            requested_at=now,
            notes=[],
            via=request.via,
        )
    )
    key = result.inserted_primary_key
    assert key is not None
    run_id = int(key[0])
    # Of a run of the schedule the record of its due time tells; a health check runs every five minutes. Of one that
    # another host is asked for, that host tells, in its own chain, once it takes it up.
    if request.caller.trigger != "schedule" and request.via is None:
        audit.append(connection, request.host, _asked(request, run_id, now))
    return run_id


def _asked(request: Request, run_id: int, at: float) -> Entry:
    body = {
        "task": request.task,
        "target": request.target,
        "params": dict(request.params),
        "dry_run": request.dry_run,
        "parent": request.parent_id,
    }
    if request.via is not None:
        body["via"] = request.via
    return Entry("run.asked", at, request.caller, body, run_id, request.alert_id)


def taken_up(connection: sa.Connection, run: Run, now: float) -> None:
    """A run that this host was asked for through another one is known here from now on. May be done again."""
    if run.via is not None and not audit.has(connection, run.host, "run.asked", run.id):
        audit.append(connection, run.host, _asked(run, run.id, now))


def create_unless_in_flight(connection: sa.Connection, request: Request, now: float) -> tuple[int, bool]:
    """Stores a run to be done, unless one is in flight on that target: the id of it or of the other, and whether it is
    new. The database decides, so it holds whatever has been read before.
    """
    try:
        with connection.begin_nested():
            return create(connection, request, now), True
    except sa.exc.IntegrityError:
        here = (runs.c.host == request.host, runs.c.task == request.task, runs.c.target == request.target)
        other = connection.scalar(sa.select(runs.c.id).where(*here, runs.c.state != "finished"))
        if other is None:  # it was refused for another reason
            raise
        return int(other), False


def get(connection: sa.Connection, run_id: int) -> Run:
    """A run. Raises LookupError if none has that id."""
    row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).first()
    if row is None:
        raise LookupError(f"no run {run_id}")
    return Run(
        id=row.id,
        host=row.host,
        task=row.task,
        target=row.target,
        params=row.params,
        caller=Caller(row.trigger, row.caller),
        parent_id=row.parent_id,
        alert_id=row.alert_id,
        dry_run=row.dry_run,
        state=row.state,
        requested_at=row.requested_at,
        started_at=row.started_at,
        planned_at=row.planned_at,
        before=lenient.known_of(Measurement, row.before) if row.before is not None else None,
        after=lenient.known_of(Measurement, row.after) if row.after is not None else None,
        attempt=row.attempt,
        cancelled=row.cancelled,
        via=row.via,
        by_hand=_asked_for(connection, row).by_hand,
    )


def _asked_for(connection: sa.Connection, row: Any) -> Caller:
    """Who asked for a run, or for the one of which it is a part, or a part of a part."""
    while row.parent_id is not None:
        columns = (runs.c.trigger, runs.c.caller, runs.c.parent_id)
        row = connection.execute(sa.select(*columns).where(runs.c.id == row.parent_id)).one()
    return Caller(row.trigger, row.caller)


_UNFINISHED = sa.text("runs.state != 'finished'")
"""As the index of these runs has it: a database cannot tell of a parameter what it will be."""
_TO_DO = sa.and_(_UNFINISHED, runs.c.state.not_in(("waiting", "running")))


def unfinished(connection: sa.Connection, host: str) -> Sequence[int]:
    """The ids of the host's runs that are queued or were under way, oldest first; not those that wait for
    a person or for their children.
    """
    return list(attempts(connection, host))


def attempts(connection: sa.Connection, host: str) -> Mapping[int, int]:
    """The same, each with the number of its attempt."""
    select = sa.select(runs.c.id, runs.c.attempt).where(runs.c.host == host, _TO_DO).order_by(runs.c.id)
    return {row.id: row.attempt for row in connection.execute(select)}


def take_up(connection: sa.Connection, host: str) -> Mapping[int, int]:
    """A process begins to work on what was left; how often in a row one has died on each run where one did.

    What was put down in order is not counted, nor what no process had begun.
    """
    here = (runs.c.host == host, _TO_DO)
    connection.execute(runs.update().where(*here, runs.c.at_work).values(deaths=runs.c.deaths + 1))
    connection.execute(runs.update().where(*here, runs.c.state != "queued").values(at_work=True))
    died = sa.select(runs.c.id, runs.c.deaths).where(*here, runs.c.deaths > 0)
    return {row.id: row.deaths for row in connection.execute(died)}


def put_down(connection: sa.Connection, host: str) -> None:
    """The process ends in order: what is left of its runs was not what ended it."""
    here = (runs.c.host == host, _UNFINISHED)
    connection.execute(runs.update().where(*here, runs.c.at_work).values(at_work=False))


_TRIES = (
    sa.select(
        runs.c.alert_id,
        runs.c.id,
        REMEDY,
        runs.c.dry_run,
        runs.c.outcome,
        runs.c.finished_at,
        runs.c.cancelled.is_not(None),
    )
    .where(
        runs.c.alert_id.in_(sa.bindparam("ids", expanding=True)),
        sa.or_(runs.c.finished_at.is_(None), runs.c.finished_at > sa.bindparam("since", type_=runs.c.finished_at.type)),
    )
    .order_by(runs.c.id.desc())
)


def tries(connection: sa.Connection, alert_ids: Collection[int], since: float) -> Mapping[int, Sequence[Try]]:
    """The runs for each of these episodes that are under way or ended since then (Unix seconds), newest first."""
    found: dict[int, list[Try]] = {}
    for alert_id, *rest in connection.execute(_TRIES, {"ids": list(alert_ids), "since": since}):
        found.setdefault(alert_id, []).append(Try(*rest))
    return found


def begin(connection: sa.Connection, run_id: int, now: float, attempt: int = 0) -> bool:
    """False where this attempt is over: the run has finished, waits for a person, or another attempt was begun."""
    result = connection.execute(
        runs.update()
        .where(runs.c.id == run_id, runs.c.attempt == attempt, _TO_DO)
        .values(state="measuring", started_at=sa.func.coalesce(runs.c.started_at, now), at_work=True)
    )
    return result.rowcount == 1


def measured(connection: sa.Connection, run_id: int, before: Measurement) -> None:
    found = before.model_dump(mode="json")
    values = {"state": "planning", "before": found, "deaths": 0}
    connection.execute(runs.update().where(runs.c.id == run_id, _TO_DO).values(values))


def wait(connection: sa.Connection, run_id: int, attempt: int) -> bool:
    """The run waits for a person; False where this attempt is over."""
    result = connection.execute(
        runs.update()
        .where(runs.c.id == run_id, runs.c.attempt == attempt, _TO_DO)
        .values(state="waiting", at_work=False)
    )
    return result.rowcount == 1


def go_on(connection: sa.Connection, run_id: int) -> int:
    """A run that waited is begun anew; the number of its attempt. Raises LookupError where it does not wait."""
    attempt: int | None = connection.scalar(
        runs.update()
        .where(runs.c.id == run_id, runs.c.state == "waiting")
        .values(state="queued", attempt=runs.c.attempt + 1, started_at=None)
        .returning(runs.c.attempt)
    )
    if attempt is None:
        raise LookupError(f"run {run_id} does not wait")
    return attempt


def planned(connection: sa.Connection, run_id: int, plan: Plan, now: float) -> bool:
    """Stores the plan in place of one from before a crash; nothing of it had been applied then. False where the run has
    ended meanwhile.
    """
    estimated = sum(action.estimated_bytes for action in plan.actions)
    values = {"planned_at": now, "notes": list(plan.notes), "estimated_bytes": estimated, "deaths": 0}
    goes_on = (runs.c.id == run_id, runs.c.state != "finished")
    if not connection.execute(runs.update().where(*goes_on).values(values)).rowcount:
        return False
    rows.replace(connection, run_id, plan.rows)
    connection.execute(actions.delete().where(actions.c.run_id == run_id))
    if plan.actions:
        connection.execute(
            actions.insert(),
            [
                {
                    "run_id": run_id,
                    "position": position,
                    "action": action.model_dump(mode="json"),
                    "state": "planned",
                    "detail": "",
                    "freed_bytes": 0,
                }
                for position, action in enumerate(plan.actions)
            ],
        )
    if plan.actions:
        body = {"actions": len(plan.actions), "estimated_bytes": estimated}
        of_run = sa.select(runs.c.before, runs.c.host, runs.c.task, runs.c.target, runs.c.params)
        run = connection.execute(of_run.where(runs.c.id == run_id)).one()
        named = plan_hash(plan.actions, host=run.host, task=run.task, target=run.target, params=run.params)
        _record(connection, run_id, "run.planned", now, {**body, "plan_hash": named, "before": run.before})
    return True


def set_state(connection: sa.Connection, run_id: int, state: RunState) -> bool:
    """False where the run has ended meanwhile."""
    goes_on = (runs.c.id == run_id, runs.c.state != "finished")
    return connection.execute(runs.update().where(*goes_on).values(state=state)).rowcount == 1


def cancel_queued(connection: sa.Connection, run_id: int, why: str, caller: Caller, now: float) -> bool:
    """Closes a run that has not begun; False where it has, and then it stays as it is."""
    columns = (runs.c.host, runs.c.state)
    row = connection.execute(sa.select(*columns).where(runs.c.id == run_id).with_for_update()).first()
    if row is None or row.state != "queued":
        return False
    cancel(connection, run_id, why)
    entry = Entry("run.cancelled", now, caller, {"reason": why, "state": "queued"}, run_id)
    audit.append(connection, row.host, entry)
    return finish(connection, run_id, "cancelled", f"{why}; nothing had been done", now)


def cancel(connection: sa.Connection, run_id: int, why: str) -> RunState | None:
    """Notes that a person has cancelled a run; the state that it is in. None where it has nothing left to be stopped,
    or was cancelled before.
    """
    goes_on = (runs.c.state.not_in(("verifying", "finished")), runs.c.cancelled.is_(None))
    state: RunState | None = connection.scalar(
        runs.update().where(runs.c.id == run_id, *goes_on).values(cancelled=why).returning(runs.c.state)
    )
    return state


def action_of(connection: sa.Connection, run_id: int, position: int) -> Action:
    """An action of a run's plan. Raises LookupError if none has that position."""
    stored = connection.scalar(
        sa.select(actions.c.action).where(actions.c.run_id == run_id, actions.c.position == position)
    )
    if stored is None:
        raise LookupError(f"run {run_id} has no action {position}")
    return Action.model_validate(stored)


def actions_from(connection: sa.Connection, run_id: int, position: int, most: int) -> Sequence[tuple[Action, bool]]:
    """The next actions of a run's plan from a position on, and of each whether what became of it is recorded."""
    rows = connection.execute(
        sa.select(actions.c.action, actions.c.finished_at)
        .where(actions.c.run_id == run_id, actions.c.position.between(position, position + most - 1))
        .order_by(actions.c.position)
    )
    return [(Action.model_validate(row.action), row.finished_at is not None) for row in rows]


def is_cancelled(connection: sa.Connection, run_id: int) -> bool:
    """Whether a person has cancelled it."""
    return connection.scalar(sa.select(runs.c.cancelled).where(runs.c.id == run_id)) is not None


def action_is_over(connection: sa.Connection, run_id: int, position: int) -> bool:
    """Whether what became of an action is recorded."""
    finished_at = sa.select(actions.c.finished_at).where(actions.c.run_id == run_id, actions.c.position == position)
    return connection.scalar(finished_at) is not None


def action_states(connection: sa.Connection, run_id: int) -> Sequence[tuple[str, str]]:
    """State and detail of each action, in order."""
    rows = connection.execute(
        sa.select(actions.c.state, actions.c.detail).where(actions.c.run_id == run_id).order_by(actions.c.position)
    )
    return [(row.state, row.detail) for row in rows]


def action_started(connection: sa.Connection, run_id: int, position: int, now: float) -> bool:
    """False where a person has cancelled the run: then the action does not begin."""
    if connection.scalar(sa.select(runs.c.cancelled).where(runs.c.id == run_id).with_for_update()) is not None:
        return False
    connection.execute(
        actions.update()
        .where(actions.c.run_id == run_id, actions.c.position == position)
        .values(state="running", started_at=now)
    )
    body = {"position": position, "action": action_of(connection, run_id, position).model_dump(mode="json")}
    _record(connection, run_id, "action.started", now, body)
    return True


def action_finished(connection: sa.Connection, run_id: int, position: int, result: ActionResult, now: float) -> None:
    connection.execute(
        actions.update()
        .where(actions.c.run_id == run_id, actions.c.position == position)
        .values(state=result.state, detail=result.detail, freed_bytes=result.freed_bytes, finished_at=now)
    )
    connection.execute(runs.update().where(runs.c.id == run_id, runs.c.deaths > 0).values(deaths=0))
    body = {"state": result.state, "detail": result.detail, "freed_bytes": result.freed_bytes}
    _record(connection, run_id, "action.finished", now, {"position": position, **body})


def verified(connection: sa.Connection, run_id: int, after: Measurement) -> None:
    found = after.model_dump(mode="json")
    connection.execute(runs.update().where(runs.c.id == run_id).values(after=found))


def finish(connection: sa.Connection, run_id: int, outcome: Outcome, reason: str, now: float) -> bool:
    """Closes a run; False when it was closed already, and then stays as it was."""
    result = connection.execute(
        runs.update()
        .where(runs.c.id == run_id, runs.c.state != "finished")
        .values(state="finished", outcome=outcome, reason=reason, finished_at=now, slot=None, at_work=False)
    )
    if not result.rowcount:
        return False
    row = connection.execute(sa.select(runs.c.task, runs.c.target, runs.c.after).where(runs.c.id == run_id)).one()
    body = {"outcome": outcome, "reason": reason, "task": row.task, "target": row.target}
    _record(connection, run_id, "run.finished", now, body if row.after is None else {**body, "after": row.after})
    return True


def _record(connection: sa.Connection, run_id: int, kind: Kind, now: float, body: Mapping[str, Any]) -> None:
    """Records a step of a run in the chain of its host."""
    columns = (runs.c.host, runs.c.trigger, runs.c.caller, runs.c.alert_id)
    row = connection.execute(sa.select(*columns).where(runs.c.id == run_id)).one()
    entry = Entry(kind, now, Caller(row.trigger, row.caller), body, run_id, row.alert_id)
    audit.append(connection, row.host, entry)
