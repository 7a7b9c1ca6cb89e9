"""Decisions about alerts. The same decision of the same remedy about the same episode is counted, not repeated."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.model.caller import Caller
from remediator.model.decision import Decision
from remediator.store import audit
from remediator.store.tables import decisions


@dataclass(frozen=True)
class Latest:
    """The last decision of a remedy about an episode; of none, where no remedy matched."""

    id: int
    verdict: str
    remedy: str | None
    guard: str | None

    def is_as(self, decision: Decision) -> bool:
        """Whether the decision says the same again."""
        remedy = decision.selection.remedy.name if decision.selection else None
        return (self.verdict, self.remedy, self.guard) == (decision.verdict, remedy, decision.guard)


@dataclass(frozen=True)
class New:
    """A decision to be stored, with the run that it led to."""

    alert_id: int
    decision: Decision
    run_id: int | None


@dataclass(frozen=True)
class Repeat:
    """A decision to be counted once more. reason: in place of the former one, which may name another time left."""

    decision_id: int
    reason: str | None = None


_NEWEST = (
    sa.select(sa.func.max(decisions.c.id))
    .where(decisions.c.alert_id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(decisions.c.alert_id, decisions.c.remedy)
)
_LATEST = sa.select(
    decisions.c.alert_id, decisions.c.id, decisions.c.verdict, decisions.c.remedy, decisions.c.guard
).where(decisions.c.id.in_(_NEWEST))
_INSERT = decisions.insert()
_REPEATED = (
    decisions.update()
    .where(decisions.c.id == sa.bindparam("decision"))
    .values(
        last_at=sa.bindparam("now"),
        repeats=decisions.c.repeats + 1,
        reason=sa.func.coalesce(sa.bindparam("new_reason"), decisions.c.reason),
    )
)
# Made once: making one of them takes as long as asking it.


def latest(connection: sa.Connection, alert_ids: Collection[int]) -> Mapping[int, Mapping[str | None, Latest]]:
    """The last decision of each remedy about each of the episodes that have any."""
    rows = connection.execute(_LATEST, {"ids": list(alert_ids)})
    found: dict[int, dict[str | None, Latest]] = {}
    for alert_id, *rest in rows:
        one = Latest(*rest)
        found.setdefault(alert_id, {})[one.remedy] = one
    return found


def insert(connection: sa.Connection, host: str, made: Iterable[New], now: float) -> None:
    """Stores decisions about what is to be done on a host."""
    new = list(made)
    if new:
        connection.execute(_INSERT, [_row(each, host, now) for each in new])
        audit.append(connection, host, *_recorded(new, now))


def _recorded(made: Iterable[New], now: float) -> Iterable[Entry]:
    """A record for each decision that led to a run, and one for all others that say the same: an alert storm fills
    neither the disk nor the time.
    """
    alike: dict[tuple[object, ...], tuple[dict[str, object], list[int]]] = {}
    for each in made:
        selection = each.decision.selection
        about: dict[str, object] = {
            "verdict": each.decision.verdict,
            "remedy": selection.remedy.name if selection else None,
            "task": selection.remedy.task if selection else None,
            "target": selection.target if selection else None,
            "guard": each.decision.guard,
            "reason": each.decision.reason,
        }
        if each.run_id is not None:
            caller = Caller("alert", selection.remedy.name) if selection else None
            yield Entry("decision", now, caller, about, run_id=each.run_id, alert_id=each.alert_id)
        else:
            alike.setdefault(tuple(about.values()), (about, []))[1].append(each.alert_id)
    for about, alert_ids in alike.values():
        only = alert_ids[0] if len(alert_ids) == 1 else None
        yield Entry("decision", now, None, {**about, "alerts": alert_ids}, alert_id=only)


def _row(new: New, host: str, now: float) -> dict[str, object]:
    selection = new.decision.selection
    known_target = selection is not None and new.decision.verdict != "no-target"
    return {
        "alert_id": new.alert_id,
        "host": host,
        "at": now,
        "last_at": now,
        "repeats": 0,
        "verdict": new.decision.verdict,
        "remedy": selection.remedy.name if selection else None,
        "task": selection.remedy.task if selection else None,
        "target": selection.target if known_target and selection else None,
        "guard": new.decision.guard,
        "reason": new.decision.reason,
        "run_id": new.run_id,
    }


def count_repeats(connection: sa.Connection, repeats: Iterable[Repeat], now: float) -> None:
    """Counts decisions once more."""
    rows = [{"decision": each.decision_id, "new_reason": each.reason, "now": now} for each in repeats]
    if rows:
        connection.execute(_REPEATED, rows)
