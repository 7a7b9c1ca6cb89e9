"""Requests that a person approves the plan of a run."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.model.approval import Approval, changes
from remediator.model.caller import Caller
from remediator.model.task import Action, Plan
from remediator.store import audit, lenient
from remediator.store.tables import alerts, approvals, runs

Ended = Literal["approved", "denied", "expired", "cancelled"]

_WITH_RUN = sa.select(
    *(column for column in approvals.c if column not in (approvals.c.plan, approvals.c.changes)),
    runs.c.task,
    runs.c.target,
).join(runs, runs.c.id == approvals.c.run_id)


def ask(
    connection: sa.Connection, run_id: int, host: str, plan: Plan, plan_hash: str, why: str, *, now: float, until: float
) -> int:
    """Asks a person to approve a plan, until then (Unix seconds); the request's id. One that was approved before for
    another plan of the same run is superseded, and what has changed since is kept.
    """
    before = connection.execute(
        sa.select(approvals.c.id, approvals.c.plan)
        .where(approvals.c.run_id == run_id, approvals.c.state.in_(("asked", "approved")))
        .order_by(approvals.c.id.desc())
    ).first()
    differs: list[dict[str, Any]] = []
    if before is not None:
        old = [lenient.known_of(Action, each) for each in before.plan["actions"]]
        differs = [vars(change) for change in changes(old, plan.actions)]
        _supersede(connection, run_id)
    result = connection.execute(
        approvals.insert().values(
            run_id=run_id,
            host=host,
            plan_hash=plan_hash,
            plan=plan.model_dump(mode="json", include={"actions", "notes"}),
            changes=differs,
            why=why,
            state="asked",
            asked_at=now,
            expires_at=until,
            reason="",
            actions=len(plan.actions),
            estimated_bytes=sum(action.estimated_bytes for action in plan.actions),
        )
    )
    key = result.inserted_primary_key
    assert key is not None
    body: dict[str, Any] = {"approval": int(key[0]), "plan_hash": plan_hash, "why": why, "expires_at": round(until)}
    if before is not None:
        body |= {"supersedes": before.id, "changes": len(differs)}
    audit.append(connection, host, Entry("approval.asked", now, None, body, run_id))
    return int(key[0])


def _supersede(connection: sa.Connection, run_id: int) -> None:
    open_ones = (approvals.c.run_id == run_id, approvals.c.state.in_(("asked", "approved")))
    connection.execute(approvals.update().where(*open_ones).values(state="superseded"))


def approved(connection: sa.Connection, run_ids: Collection[int]) -> Mapping[int, str]:
    """The hash of the plan that was approved for each of these runs that has one."""
    rows = connection.execute(
        sa.select(approvals.c.run_id, approvals.c.plan_hash)
        .where(approvals.c.run_id.in_(run_ids), approvals.c.state == "approved")
        .order_by(approvals.c.id)
    )
    return {row.run_id: row.plan_hash for row in rows}


def asked(connection: sa.Connection) -> Mapping[int, int]:
    """The request that each run waits for, by the run's id."""
    rows = connection.execute(sa.select(approvals.c.run_id, approvals.c.id).where(approvals.c.state == "asked"))
    return {row.run_id: row.id for row in rows}


def get(connection: sa.Connection, approval_id: int) -> Approval:
    """A request. Raises LookupError if none has that id."""
    row = connection.execute(_WITH_RUN.where(approvals.c.id == approval_id)).first()
    if row is None:
        raise no_approval(connection, approval_id)
    return _approval(row)


def no_approval(connection: sa.Connection, approval_id: int) -> LookupError:
    """That none has this id. A run's id is taken for it easily: what waits for that run is named then."""
    open_one = sa.select(approvals.c.id).where(approvals.c.run_id == approval_id, approvals.c.state == "asked")
    meant = connection.scalar(open_one)
    also = "" if meant is None else f"; run {approval_id} waits for approval {meant}"
    return LookupError(f"there is no approval {approval_id}{also}")


def plan_of(connection: sa.Connection, approval_id: int) -> Plan:
    """The plan that a request shows. Raises LookupError if none has that id."""
    stored = connection.scalar(sa.select(approvals.c.plan).where(approvals.c.id == approval_id))
    if stored is None:
        raise no_approval(connection, approval_id)
    return lenient.plan_of(stored)


def decide(
    connection: sa.Connection,
    approval_id: int,
    plan_hash: str,
    state: Ended,
    by: Caller,
    reason: str,
    now: float,
) -> bool:
    """A person decides; False where the request is about another plan, over, or decided already."""
    result = connection.execute(
        approvals.update()
        .where(
            approvals.c.id == approval_id,
            approvals.c.state == "asked",
            approvals.c.plan_hash == plan_hash,
            approvals.c.expires_at > now,
        )
        .values(state=state, decided_at=now, trigger=by.trigger, caller=by.name, reason=reason)
    )
    if result.rowcount == 1:
        _record(connection, approval_id, state, now, by, {"plan_hash": plan_hash, "reason": reason})
    return result.rowcount == 1


def _record(
    connection: sa.Connection,
    approval_id: int,
    state: Ended,
    now: float,
    by: Caller | None,
    body: Mapping[str, str],
) -> None:
    one = get(connection, approval_id)
    entry = Entry(f"approval.{state}", now, by, {"approval": one.id, **body}, one.run_id)  # type: ignore[arg-type]
    audit.append(connection, one.host, entry)


def end(connection: sa.Connection, approval_id: int, state: Ended, reason: str, now: float) -> bool:
    """Ends a request without a person; False where it is over already."""
    result = connection.execute(
        approvals.update()
        .where(approvals.c.id == approval_id, approvals.c.state == "asked")
        .values(state=state, decided_at=now, reason=reason)
    )
    if result.rowcount == 1:
        _record(connection, approval_id, state, now, None, {"reason": reason})
    return result.rowcount == 1


def of_run(connection: sa.Connection, run_id: int) -> int | None:
    """The request that a run waits for; None where it waits for none."""
    waits = (approvals.c.run_id == run_id, approvals.c.state == "asked")
    found: int | None = connection.scalar(sa.select(approvals.c.id).where(*waits))
    return found


def expired(connection: sa.Connection, host: str, now: float) -> Sequence[Approval]:
    """The host's requests that nobody answered in time."""
    return _asked(connection, host, approvals.c.expires_at <= now)


def without_alert(connection: sa.Connection, host: str) -> Sequence[Approval]:
    """The host's requests for an alert that has ended: the episode, or where its end was never reported the newest one
    of the same alert.
    """
    return _asked(connection, host, _alert_ended())


@cache
def _alert_ended() -> sa.ColumnElement[bool]:
    """Made once: it is asked at every look at alerts."""
    newer = alerts.alias()
    newest = (
        sa.select(newer.c.status)
        .where(newer.c.fingerprint == alerts.c.fingerprint)
        .order_by(newer.c.starts_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    return sa.exists().where(
        alerts.c.id == runs.c.alert_id, sa.or_(alerts.c.status == "resolved", newest == "resolved")
    )


def _asked(connection: sa.Connection, host: str, where: sa.ColumnElement[bool]) -> Sequence[Approval]:
    select = _WITH_RUN.where(approvals.c.host == host, approvals.c.state == "asked", where)
    return [_approval(row) for row in connection.execute(select.order_by(approvals.c.id))]


def next_expiry(connection: sa.Connection, host: str) -> float | None:
    """When the next of the host's requests expires (Unix seconds); None where nothing waits."""
    waiting = (approvals.c.host == host, approvals.c.state == "asked")
    at: float | None = connection.scalar(sa.select(sa.func.min(approvals.c.expires_at)).where(*waiting))
    return at


def pending(connection: sa.Connection, host: str) -> Mapping[str, tuple[int, float]]:
    """How many of the host's requests wait, and since when the oldest does (Unix seconds), by the remedy that asked;
    empty for who is none.
    """
    remedy = sa.case((runs.c.trigger == "alert", runs.c.caller), else_="")
    rows = connection.execute(
        sa.select(remedy, sa.func.count(), sa.func.min(approvals.c.asked_at))
        .join(runs, runs.c.id == approvals.c.run_id)
        .where(approvals.c.host == host, approvals.c.state == "asked")
        .group_by(remedy)
    )
    return {name: (count, oldest) for name, count, oldest in rows}


def _approval(row: Any) -> Approval:
    return Approval(
        id=row.id,
        run_id=row.run_id,
        host=row.host,
        task=row.task,
        target=row.target,
        plan_hash=row.plan_hash,
        why=row.why,
        state=row.state,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        decided_at=row.decided_at,
        by=Caller(row.trigger, row.caller or "") if row.trigger is not None else None,
        reason=row.reason,
    )
