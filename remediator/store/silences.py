"""What is to be silenced in Alertmanager, and what was."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.model.lease import Lease, Purpose
from remediator.model.silence import Matcher
from remediator.store import audit
from remediator.store.tables import REMEDY, alerts, runs, silences


def want(
    connection: sa.Connection,
    host: str,
    purpose: Purpose,
    matchers: Sequence[Matcher],
    comment: str,
    now: float,
    *,
    run_id: int | None = None,
    task: str | None = None,
    until: float | None = None,
) -> int:
    """Stores that alerts are to be silenced; the id of the lease."""
    stored = silences.insert().values(
        host=host,
        purpose=purpose,
        run_id=run_id,
        task=task,
        matchers=[list(one) for one in matchers],
        comment=comment,
        held={},
        since=now,
        until=until,
        reason="",
    )
    key = connection.execute(stored).inserted_primary_key
    assert key is not None
    return int(key[0])


def live(connection: sa.Connection, host: str, id: int | None = None) -> Sequence[Lease]:
    """Those of the host that have not ended, oldest first."""
    select = (
        sa.select(silences, runs.c.state, runs.c.outcome, runs.c.finished_at, runs.c.alert_id, alerts.c.status, REMEDY)
        .join(runs, runs.c.id == silences.c.run_id, isouter=True)
        .join(alerts, alerts.c.id == runs.c.alert_id, isouter=True)
        .where(silences.c.host == host, silences.c.ended_at.is_(None))
        .order_by(silences.c.id)
    )
    if id is not None:
        select = select.where(silences.c.id == id)
    return [
        Lease(
            id=row.id,
            purpose=row.purpose,
            matchers=[Matcher(*one) for one in row.matchers],
            comment=row.comment,
            since=row.since,
            until=row.until,
            held=row.held,
            run_id=row.run_id,
            task=row.task,
            remedy=row.remedy,
            state=row.state,
            outcome=row.outcome,
            finished_at=row.finished_at,
            alert_id=row.alert_id,
            firing=row.status == "firing",
        )
        for row in connection.execute(select)
    ]


def held(
    connection: sa.Connection, host: str, lease: Lease, there: Mapping[str, str], until: float, now: float
) -> None:
    """It is in these Alertmanagers until then."""
    if not lease.held:
        body = {"purpose": lease.purpose, "task": lease.task, "in": dict(there), "comment": lease.comment}
        entry = Entry("silence.held", now, body=body, run_id=lease.run_id, alert_id=lease.alert_id)
        audit.append(connection, host, entry)
    id = lease.id
    connection.execute(silences.update().where(silences.c.id == id).values(held=dict(there), until=until))


def end(connection: sa.Connection, host: str, lease: Lease, reason: str, now: float) -> bool:
    """It is no longer wanted; False when it was not already."""
    ended = silences.update().where(silences.c.id == lease.id, silences.c.ended_at.is_(None))
    if connection.execute(ended.values(ended_at=now, reason=reason)).rowcount != 1:
        return False
    body = {"purpose": lease.purpose, "task": lease.task, "reason": reason}
    entry = Entry("silence.ended", now, body=body, run_id=lease.run_id, alert_id=lease.alert_id)
    audit.append(connection, host, entry)
    return True


_HAD_PAGE = (
    sa.select(runs.c.alert_id)
    .join(silences, silences.c.run_id == runs.c.id)
    .where(runs.c.alert_id.in_(sa.bindparam("ids", expanding=True)), silences.c.purpose == "page")
)


def had_page(connection: sa.Connection, alert_ids: Collection[int]) -> set[int]:
    """Those of the episodes for which a page was held back once."""
    return {id for id in connection.scalars(_HAD_PAGE, {"ids": list(alert_ids)}) if id is not None}


def of_run(connection: sa.Connection, run_id: int) -> tuple[float | None, float | None, str] | None:
    """Of the page of a run: until when it is held back, when that ended, and why; None where it was not to be."""
    columns = (silences.c.until, silences.c.ended_at, silences.c.reason)
    row = connection.execute(sa.select(*columns).where(silences.c.run_id == run_id)).first()
    return None if row is None else (row.until, row.ended_at, row.reason)
