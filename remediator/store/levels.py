"""How much remedies may do by themselves, and what their runs have shown."""

from collections.abc import Mapping

import sqlalchemy as sa

from remediator.audit.record import Entry, Kind
from remediator.config.autonomy import Autonomy
from remediator.model.caller import Caller
from remediator.model.level import Level, Track
from remediator.statedir import DRILL_TARGET
from remediator.store import audit, holds
from remediator.store.tables import actions, levels, runs

REMEMBERED_RUNS = 1000
"""Of one remedy: more than any threshold can sensibly ask for."""
_ORDER: tuple[Autonomy, ...] = ("observe", "approve", "auto")


def all_of(connection: sa.Connection, host: str) -> Mapping[str, Level]:
    """The last change of each remedy of the host, by its name."""
    rows = connection.execute(sa.select(levels).where(levels.c.host == host))
    return {
        row.remedy: Level(
            row.remedy,
            row.configured,
            row.level,
            row.reason,
            row.at,
            Caller(row.trigger, row.caller or "") if row.trigger is not None else None,
        )
        for row in rows
    }


def change(connection: sa.Connection, host: str, level: Level, *, before: Autonomy) -> None:
    """Stores a change in place of the last one. before: what the remedy could do until now."""
    key = (levels.c.host == host, levels.c.remedy == level.remedy)
    connection.execute(levels.delete().where(*key))
    connection.execute(
        levels.insert().values(
            host=host,
            remedy=level.remedy,
            configured=level.configured,
            level=level.level,
            reason=level.reason,
            at=level.at,
            trigger=level.by.trigger if level.by else None,
            caller=level.by.name if level.by else None,
        )
    )
    after = level.level or level.configured
    lower = _ORDER.index(after) < _ORDER.index(before)
    kind: Kind = "autonomy.reset" if level.level is None else "autonomy.demoted" if lower else "autonomy.promoted"
    audit.append(connection, host, Entry(kind, level.at, level.by, _body(level, before, after)))


def _body(level: Level, before: Autonomy, after: Autonomy) -> Mapping[str, str]:
    return {"remedy": level.remedy, "before": before, "after": after, "reason": level.reason}


def track(connection: sa.Connection, host: str, remedy: str, since: float) -> Track:
    """What a remedy's runs on a host have shown that ended after then (Unix seconds).

    A failure is none any more once a person has closed the breaker of that target, and so has taken over.
    """
    closed = holds.breakers_closed(connection)
    freed = sa.select(sa.func.sum(actions.c.freed_bytes)).where(actions.c.run_id == runs.c.id).scalar_subquery()
    has_actions = sa.exists().where(actions.c.run_id == runs.c.id)
    columns = (
        runs.c.task,
        runs.c.target,
        runs.c.finished_at,
        runs.c.dry_run,
        runs.c.outcome,
        runs.c.after,
        runs.c.estimated_bytes,
        freed,
        has_actions,
    )
    select = (
        sa.select(*columns)
        .where(
            runs.c.host == host,
            runs.c.trigger == "alert",
            runs.c.caller == remedy,
            runs.c.target != DRILL_TARGET,
            runs.c.finished_at > since,
        )
        .order_by(runs.c.finished_at.desc(), runs.c.id.desc())
        .limit(REMEMBERED_RUNS)
    )
    ran = effective = failures = would_act = denied = 0
    held: list[float] = []
    helped = False
    for task, target, ended, dry_run, outcome, after, estimated, gained, planned in connection.execute(select):
        if dry_run:
            would_act += outcome == "planned" and planned
            continue
        denied += outcome == "denied"
        if outcome not in ("effective", "ineffective", "failed"):
            continue
        ran += 1
        effective += outcome == "effective"
        helped = helped or outcome == "effective" or (after is not None and not after["breached"])
        failures += not helped and ended > closed.get((host, task, target), 0.0)
        if estimated:
            held.append(min(estimated, int(gained or 0)) / max(estimated, int(gained or 0)))
    return Track(ran, effective, failures, would_act, denied, sum(held) / len(held) if held else None)
