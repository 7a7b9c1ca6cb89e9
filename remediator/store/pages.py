"""Rows as the API's JSON: newest first, a page at a time, times as RFC 3339."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from exporter.base.text import format_time_ms
from remediator.model.artefact import Artefact
from remediator.model.evidence import Section
from remediator.model.shapes.alerts import AlertView, DecisionView, LastDecision, LastRun
from remediator.model.shapes.answers import Page
from remediator.model.shapes.approvals import ApprovalDetail, ApprovalView
from remediator.model.shapes.remedies import TrackView
from remediator.model.shapes.runs import ActionView, ArtefactView, ChildView, RunView, SectionView, StepView
from remediator.model.timeline import timeline
from remediator.statedir import DRILL_TARGET
from remediator.store import artefacts, evidence, lenient, rows, silences
from remediator.store.approvals import no_approval
from remediator.store.tables import REMEDY, actions, alerts, approvals, decisions, runs

T = TypeVar("T")
Row = Mapping[str, Any]


def _maybe(seconds: float | None) -> str | None:
    return None if seconds is None else format_time_ms(seconds)


def _rows(connection: sa.Connection, select: sa.Select[Any]) -> list[Row]:
    found = connection.execute(select)
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]


def _page(
    connection: sa.Connection,
    select: sa.Select[Any],
    key: sa.Column[int],
    show: Callable[[Row], T],
    *,
    limit: int,
    before: int | None,
) -> Page[T]:
    if before is not None:
        select = select.where(key < before)
    rows = _rows(connection, select.order_by(key.desc()).limit(limit + 1))
    following = int(rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": [show(row) for row in rows[:limit]], "next": following}


FIRING = sa.text("alerts.status = 'firing'")
"""As the index of these alerts has it: a database cannot tell of a parameter what it will be."""


def list_alerts(
    connection: sa.Connection,
    limit: int,
    before: int | None = None,
    status: str | None = None,
    host: str | None = None,
    fingerprint: str | None = None,
) -> Page[AlertView]:
    """The episodes of that status, host and fingerprint, or whatever is left open."""
    select = sa.select(alerts)
    if fingerprint is not None:
        select = select.where(alerts.c.fingerprint == fingerprint)
    if host is not None:
        select = select.where(alerts.c.host == host)
    if status is not None:
        select = select.where(FIRING if status == "firing" else alerts.c.status == status)
    page = _page(connection, select, alerts.c.id, dict, limit=limit, before=before)
    ids = [row["id"] for row in page["items"]]
    last, ran = _last_decisions(connection, ids), _last_runs(connection, ids)
    items = [_alert(row, last.get(row["id"]), ran.get(row["id"])) for row in page["items"]]
    return {"items": items, "next": page["next"]}


def _last_decisions(connection: sa.Connection, ids: Sequence[int]) -> Mapping[int, LastDecision]:
    """Of those of these alerts that were decided about. One that is made again is counted, and is then the last one."""
    place = sa.func.row_number().over(
        partition_by=decisions.c.alert_id, order_by=(decisions.c.last_at.desc(), decisions.c.id.desc())
    )
    placed = sa.select(decisions, place.label("place")).where(decisions.c.alert_id.in_(ids)).subquery()
    return {
        row["alert_id"]: {
            "id": row["id"],
            "last_at": format_time_ms(row["last_at"]),
            "remedy": row["remedy"],
            "verdict": row["verdict"],
            "reason": row["reason"],
            "run_id": row["run_id"],
        }
        for row in _rows(connection, sa.select(placed).where(placed.c.place == 1))
    }


def _last_runs(connection: sa.Connection, ids: Sequence[int]) -> Mapping[int, LastRun]:
    """Of those of these alerts for which any was asked."""
    newest = sa.select(sa.func.max(runs.c.id)).where(runs.c.alert_id.in_(ids)).group_by(runs.c.alert_id)
    columns = ("id", "alert_id", "task", "target", "state", "outcome", "reason")
    select = sa.select(*(runs.c[name] for name in columns)).where(runs.c.id.in_(newest))
    return {
        row["alert_id"]: {
            "id": row["id"],
            "task": row["task"],
            "target": row["target"],
            "state": row["state"],
            "outcome": row["outcome"],
            "reason": row["reason"],
        }
        for row in _rows(connection, select)
    }


def _alert(row: Row, decision: LastDecision | None, run: LastRun | None) -> AlertView:
    return {
        "id": row["id"],
        "fingerprint": row["fingerprint"],
        "status": row["status"],
        "starts_at": format_time_ms(row["starts_at"]),
        "ends_at": _maybe(row["ends_at"]),
        "labels": row["labels"],
        "annotations": row["annotations"],
        "first_received_at": format_time_ms(row["first_received_at"]),
        "last_received_at": format_time_ms(row["last_received_at"]),
        "receptions": row["receptions"],
        "due_at": _maybe(row["due_at"]),
        "muted": row["muted"],
        "continued_by": row["continued_by"],
        "host": row["host"],
        "decision": decision,
        "run": run,
    }


def list_decisions(
    connection: sa.Connection,
    limit: int,
    before: int | None = None,
    alert: int | None = None,
    host: str | None = None,
) -> Page[DecisionView]:
    """Those about one episode, of one host, or whatever is left open."""
    later = decisions.alias()
    newest = sa.not_(sa.exists().where(later.c.alert_id == decisions.c.alert_id, later.c.id > decisions.c.id))
    due = sa.case((sa.and_(newest, alerts.c.status == "firing"), alerts.c.due_at), else_=None).label("due_at")
    select = sa.select(decisions, alerts.c.labels, due).join(alerts, alerts.c.id == decisions.c.alert_id)
    if alert is not None:
        select = select.where(decisions.c.alert_id == alert)
    if host is not None:
        select = select.where(decisions.c.host == host)
    return _page(connection, select, decisions.c.id, _decision, limit=limit, before=before)


def _decision(row: Row) -> DecisionView:
    return {
        "id": row["id"],
        "at": format_time_ms(row["at"]),
        "last_at": format_time_ms(row["last_at"]),
        "repeats": row["repeats"],
        "host": row["host"],
        "alert_id": row["alert_id"],
        "alertname": row["labels"].get("alertname", ""),
        "remedy": row["remedy"],
        "task": row["task"],
        "target": row["target"],
        "verdict": row["verdict"],
        "guard": row["guard"],
        "reason": row["reason"],
        "run_id": row["run_id"],
        "due_at": _maybe(row["due_at"]),
    }


_RUNS = sa.select(runs, REMEDY, alerts.c.ends_at.label("alert_ended_at")).outerjoin(
    alerts, alerts.c.id == runs.c.alert_id
)
"""Runs, each with the end of the alert that asked for it: the later half of its verification."""

_ACTIONS = sa.select(
    *(column for column in actions.c if column is not actions.c.action),
    *(actions.c.action[name].as_string().label(name) for name in ("kind", "object", "reason")),
    # as_integer() would be one of 32 bits on PostgreSQL
    sa.cast(actions.c.action["estimated_bytes"].as_string(), sa.BigInteger).label("estimated_bytes"),
    sa.func.coalesce(actions.c.action["items"].as_integer(), 1).label("items"),
)
"""Actions without their parameters, which can be as long as a list of ten thousand files."""


def list_runs(
    connection: sa.Connection,
    limit: int,
    before: int | None = None,
    task: str | None = None,
    target: str | None = None,
    outcome: str | None = None,
    host: str | None = None,
    state: str | None = None,
) -> Page[RunView]:
    """The runs of that task, target and host that ended so or are in that state, or whatever is left open."""
    wanted = ((runs.c.task, task), (runs.c.target, target), (runs.c.outcome, outcome), (runs.c.host, host))
    select = _RUNS.where(*(column == value for column, value in (*wanted, (runs.c.state, state)) if value is not None))
    if state not in (None, "finished"):
        # Of which there are few, in an index by hosts; for rows of any a database does not take it by itself.
        open_ones = sa.select(runs.c.id).where(UNFINISHED).correlate(None)
        select = select.where(runs.c.id.in_(open_ones) if host is None else UNFINISHED)
    page = _page(connection, select, runs.c.id, dict, limit=limit, before=before)
    return {"items": _with_actions(connection, page["items"]), "next": page["next"]}


def one_run(connection: sa.Connection, run_id: int) -> RunView:
    """A run with its actions, rows, artefacts and evidence. Raises LookupError if none has that id."""
    found = _rows(connection, _RUNS.where(runs.c.id == run_id))
    if not found:
        raise LookupError(f"there is no run {run_id}")
    view = _with_actions(connection, found)[0]
    view["rows"] = [dict(row) for row in rows.of_run(connection, run_id)]
    view["artefacts"] = [_artefact(one) for one in artefacts.of_run(connection, run_id)]
    page = silences.of_run(connection, run_id)
    if page is not None:
        view["page"] = {"held_until": _maybe(page[0]), "ended_at": _maybe(page[1]), "reason": page[2]}
    kept = evidence.of_run(connection, run_id)
    view["evidence"] = None if kept is None else [_section(one) for one in kept]
    children = _rows(connection, _RUNS.where(runs.c.parent_id == run_id).order_by(runs.c.id))
    parts = _with_actions(connection, children)
    if parts:
        view["children"] = [_child(one) for one in parts]
    view["timeline"] = _timeline(connection, view, found[0], parts)
    return view


def _timeline(connection: sa.Connection, view: RunView, row: Row, parts: Sequence[RunView]) -> list[StepView]:
    asked = _rows(connection, _APPROVALS.where(approvals.c.run_id == view["id"]).order_by(approvals.c.id))
    first = sa.select(decisions.c.reason).where(decisions.c.run_id == view["id"]).order_by(decisions.c.id).limit(1)
    came = sa.select(alerts.c.first_received_at).where(alerts.c.id == view["alert_id"])
    return timeline(
        view,
        parts,
        # One that was late stays asked here until its run ends, which is when it matters.
        [_approval(one, now=0.0) for one in asked],
        came_at=_maybe(connection.scalar(came)),
        why=connection.scalar(first) or "",
        planned_at=_maybe(row["planned_at"]),
    )


def _section(one: Section) -> SectionView:
    return {"name": one.name, "lines": list(one.lines), "problem": one.problem}


def _child(run: RunView) -> ChildView:
    return {
        "id": run["id"],
        "task": run["task"],
        "target": run["target"],
        "state": run["state"],
        "outcome": run["outcome"],
        "reason": run["reason"],
        "freed_bytes": run["freed_bytes"],
    }


def _artefact(one: Artefact) -> ArtefactView:
    return {
        "id": one.id,
        "name": one.name,
        "media_type": one.media_type,
        "size": one.size,
        "sha256": one.sha256,
        "made_at": format_time_ms(one.made_at),
    }


UNFINISHED = sa.text("runs.state != 'finished'")
"""As the index of these runs has it."""


def unfinished_runs(connection: sa.Connection, host: str) -> int:
    """How many of the host's runs are queued, under way or wait for a person."""
    return connection.scalar(sa.select(sa.func.count()).where(runs.c.host == host, UNFINISHED)) or 0


def runs_under_way(connection: sa.Connection, host: str, limit: int = 100) -> list[RunView]:
    """The host's runs that have begun and wait for nobody, oldest first."""
    begun = (UNFINISHED, runs.c.state.not_in(("queued", "waiting")))
    select = _RUNS.where(runs.c.host == host, *begun).order_by(runs.c.id).limit(limit)
    return _with_actions(connection, _rows(connection, select))


def _with_actions(connection: sa.Connection, rows: Sequence[Row]) -> list[RunView]:
    if not rows:
        return []
    found: dict[int, list[ActionView]] = {row["id"]: [] for row in rows}
    select = _ACTIONS.where(actions.c.run_id.in_(found)).order_by(actions.c.run_id, actions.c.position)
    for row in _rows(connection, select):
        found[row["run_id"]].append(_action(row))
    return [_run(row, found[row["id"]]) for row in rows]


def _action(row: Row) -> ActionView:
    return {
        "position": row["position"],
        "kind": row["kind"],
        "object": row["object"],
        "reason": row["reason"],
        "estimated_bytes": row["estimated_bytes"],
        "items": row["items"],
        "state": row["state"],
        "detail": row["detail"],
        "freed_bytes": row["freed_bytes"],
        "started_at": _maybe(row["started_at"]),
        "finished_at": _maybe(row["finished_at"]),
    }


def _run(row: Row, its_actions: list[ActionView]) -> RunView:
    return {
        "id": row["id"],
        "host": row["host"],
        "task": row["task"],
        "target": row["target"],
        "params": row["params"],
        "trigger": row["trigger"],
        "remedy": row["remedy"],
        "caller": {"trigger": row["trigger"], "name": row["caller"]},
        "parent_id": row["parent_id"],
        "alert_id": row["alert_id"],
        "alert_ended_at": _maybe(row["alert_ended_at"]),
        "dry_run": row["dry_run"],
        "state": row["state"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "cancelled": row["cancelled"],
        "requested_at": format_time_ms(row["requested_at"]),
        "started_at": _maybe(row["started_at"]),
        "finished_at": _maybe(row["finished_at"]),
        "before": row["before"],
        "after": row["after"],
        "notes": row["notes"],
        "actions": its_actions,
        "freed_bytes": sum(action["freed_bytes"] for action in its_actions),
    }


_APPROVALS = sa.select(
    *(column for column in approvals.c if column is not approvals.c.plan),
    runs.c.task, runs.c.target, runs.c.trigger.label("asked_by"), runs.c.caller.label("asked_name"), runs.c.alert_id,
).join(runs, runs.c.id == approvals.c.run_id)  # fmt: skip


def list_approvals(
    connection: sa.Connection,
    now: float,
    limit: int,
    before: int | None = None,
    state: str | None = None,
    host: str | None = None,
) -> Page[ApprovalView]:
    """The requests in that state at that time (Unix seconds) and of that host, or whatever is left open."""
    select = _APPROVALS if state is None else _APPROVALS.where(_in_state(state, now))
    if host is not None:
        select = select.where(approvals.c.host == host)
    return _page(connection, select, approvals.c.id, partial(_approval, now=now), limit=limit, before=before)


def _in_state(state: str, now: float) -> sa.ColumnElement[bool]:
    """One that nobody answered in time has expired, also before anybody has noted that."""
    late = sa.and_(approvals.c.state == "asked", approvals.c.expires_at <= now)
    if state == "asked":
        return sa.and_(approvals.c.state == "asked", approvals.c.expires_at > now)
    return sa.or_(approvals.c.state == state, late) if state == "expired" else approvals.c.state == state


def approval_view(connection: sa.Connection, approval_id: int, now: float) -> ApprovalView:
    """A request. Raises LookupError if none has that id."""
    return _approval(_approval_row(connection, approval_id), now)


def one_approval(connection: sa.Connection, approval_id: int, now: float) -> ApprovalDetail:
    """A request with its plan; what its task has found is that of the run's last plan. Raises LookupError."""
    row = _approval_row(connection, approval_id)
    planned = connection.execute(sa.select(approvals.c.plan).where(approvals.c.id == approval_id)).scalar_one()
    before = connection.scalar(sa.select(runs.c.before).where(runs.c.id == row["run_id"]))
    plan = lenient.plan_of(planned).model_dump(mode="json")
    found = [dict(each) for each in rows.of_run(connection, row["run_id"])]
    return {**_approval(row, now), "measurement": before, "plan": {**plan, "rows": found}, "guards": []}  # type: ignore[typeddict-item]


def _approval_row(connection: sa.Connection, approval_id: int) -> Row:
    found = _rows(connection, _APPROVALS.where(approvals.c.id == approval_id))
    if not found:
        raise no_approval(connection, approval_id)
    return found[0]


def _approval(row: Row, now: float) -> ApprovalView:
    late = row["state"] == "asked" and row["expires_at"] <= now
    return {
        "id": row["id"],
        "run": row["run_id"],
        "host": row["host"],
        "task": row["task"],
        "target": row["target"],
        "caller": {"trigger": row["asked_by"], "name": row["asked_name"]},
        "alert_id": row["alert_id"],
        "plan_hash": row["plan_hash"],
        "actions": row["actions"],
        "estimated_bytes": row["estimated_bytes"],
        "why": row["why"],
        "changes": row["changes"],
        "state": "expired" if late else row["state"],
        "asked_at": format_time_ms(row["asked_at"]),
        "expires_at": format_time_ms(row["expires_at"]),
        "decided_at": _maybe(row["decided_at"]),
        "by": {"trigger": row["trigger"], "name": row["caller"] or ""} if row["trigger"] else None,
        "reason": row["reason"],
    }


Tracks = dict[str, TrackView]


def tracks(connection: sa.Connection, only: Collection[int] | None = None) -> Tracks:
    """How each remedy's finished runs ended: all, or those of these ids."""
    real = runs.c.dry_run.is_(False)
    planned = sa.or_(runs.c.outcome == "planned", sa.and_(runs.c.dry_run.is_(True), runs.c.outcome == "failed"))
    has_actions = sa.exists().where(actions.c.run_id == runs.c.id)

    def count(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0))

    rows = connection.execute(
        sa.select(
            runs.c.caller,
            count(real),
            count(real, runs.c.outcome == "effective"),
            count(planned),
            count(planned, has_actions),
        )
        .where(runs.c.trigger == "alert", runs.c.finished_at.is_not(None), runs.c.target != DRILL_TARGET)
        .where(*_of_ids(only))
        .group_by(runs.c.caller)
    )
    return {
        remedy: {"runs": ran, "effective": effective, "plans": plans, "would_act": would_act}
        for remedy, ran, effective, plans, would_act in rows
    }


def add_tracks(one: Tracks, other: Tracks) -> Tracks:
    """Of runs of both."""
    none: TrackView = {"runs": 0, "effective": 0, "plans": 0, "would_act": 0}
    found: Tracks = {}
    for remedy in {**one, **other}:
        mine, theirs = one.get(remedy, none), other.get(remedy, none)
        found[remedy] = {
            "runs": mine["runs"] + theirs["runs"],
            "effective": mine["effective"] + theirs["effective"],
            "plans": mine["plans"] + theirs["plans"],
            "would_act": mine["would_act"] + theirs["would_act"],
        }
    return found


def last_alert(connection: sa.Connection) -> float | None:
    """When any alert was last received (Unix seconds)."""
    last: float | None = connection.scalar(sa.select(sa.func.max(alerts.c.last_received_at)))
    return last


def last_watchdog(connection: sa.Connection) -> float | None:
    """When the always-firing Watchdog was last received (Unix seconds). Reads all alerts."""
    # PostgreSQL reads no label of an alert of which any holds a NUL, and fails the whole query.
    labels = sa.cast(alerts.c.labels, sa.Text)
    readable = sa.func.replace(labels, r"\u0000", "") == labels
    name = sa.case((readable, alerts.c.labels["alertname"].as_string()), else_=None)
    # Looked for as text first: to read the labels of twenty thousand alerts takes a tenth of a second.
    watchdog = sa.case((sa.and_(labels.like("%Watchdog%"), name == "Watchdog"), alerts.c.last_received_at), else_=None)
    last: float | None = connection.scalar(sa.select(sa.func.max(watchdog)))
    return last


def alerts_firing(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(alerts).where(FIRING)) or 0


def outcomes(connection: sa.Connection, only: Collection[int] | None = None) -> Counter[str]:
    """How many runs ended so: of all, or of those of these ids."""
    ended = (runs.c.outcome.is_not(None), *_of_ids(only))
    found = sa.select(runs.c.outcome, sa.func.count()).where(*ended).group_by(runs.c.outcome)
    return Counter({row.outcome: row[1] for row in connection.execute(found)})


def _of_ids(only: Collection[int] | None) -> Sequence[sa.ColumnElement[bool]]:
    return [] if only is None else [runs.c.id.in_(only)]
