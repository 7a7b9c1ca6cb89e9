"""The stations of the drill in their order, and how far it has come. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.base.text import parse_time
from remediator.model.shapes.runs import RunView
from upkeeper.drill.facts import DrillFacts


class Station(StrEnum):
    """A station that the breach passes on its way round."""

    MEASURED = "measured"
    PENDING = "pending"
    FIRING = "firing"
    NOTIFIED = "notified"
    ACCEPTED = "accepted"
    PLANNED = "planned"
    APPLIED = "applied"
    VERIFIED = "verified"
    RESOLVED = "resolved"


MEANING = {
    Station.MEASURED: "the exporter shows the directory over its limit",
    Station.PENDING: "Prometheus has seen it",
    Station.FIRING: "Prometheus fires the alert",
    Station.NOTIFIED: "Alertmanager has the alert",
    Station.ACCEPTED: "the remediator has stored the alert",
    Station.PLANNED: "the task has planned its actions",
    Station.APPLIED: "the actions are done",
    Station.VERIFIED: "measured again: it helped",
    Station.RESOLVED: "the alert has ended everywhere",
}

_ENDED = {"done", "partial", "skipped", "failed"}


def evidence(facts: DrillFacts) -> dict[Station, float | None]:
    """The stations that the facts show as passed, each with the time (Unix seconds) that a record gives for it."""
    seen: dict[Station, float | None] = {}
    if facts.exporter.over_limit:
        seen[Station.MEASURED] = None
    if facts.prometheus.alert is not None:
        seen[Station.PENDING] = facts.prometheus.since
    if facts.prometheus.alert == "firing":
        seen[Station.FIRING] = None
    if facts.alertmanager.alert:
        seen[Station.NOTIFIED] = None
    alert, run = facts.remediator.alert, facts.remediator.run
    if alert is not None:
        seen[Station.ACCEPTED] = parse_time(alert["first_received_at"]).timestamp()
    if run is not None:
        seen |= _of_run(run)
    ended = alert is not None and alert["status"] == "resolved" and facts.prometheus.alert is None
    if ended and Station.VERIFIED in seen:
        seen[Station.RESOLVED] = None
    return seen


def _of_run(run: RunView) -> dict[Station, float | None]:
    seen: dict[Station, float | None] = {}
    actions = run["actions"]
    if actions and not run["dry_run"] and run["state"] in ("applying", "verifying", "finished"):
        starts = [parse_time(action["started_at"]).timestamp() for action in actions if action["started_at"]]
        seen[Station.PLANNED] = min(starts, default=None)
        if all(action["state"] in _ENDED for action in actions):
            ends = [parse_time(action["finished_at"]).timestamp() for action in actions if action["finished_at"]]
            seen[Station.APPLIED] = max(ends, default=None)
    if Station.APPLIED in seen and run["outcome"] == "effective":
        seen[Station.VERIFIED] = parse_time(run["finished_at"]).timestamp() if run["finished_at"] else None
    return seen


@dataclass(frozen=True)
class Progress:
    """How far the drill has come. ``started``: when the breach was made, Unix seconds."""

    started: float
    passed: Mapping[Station, float] = field(default_factory=dict)
    """When each station was passed, Unix seconds, in order."""

    @property
    def current(self) -> Station | None:
        """The station it is waiting for; None at the end."""
        return next((station for station in Station if station not in self.passed), None)

    def advance(self, facts: DrillFacts, now: float) -> "Progress":
        """The progress after a look at the services.

        A look may come after several stations were passed: one that a later station proves is passed too, and no
        station is passed before the one before it.
        """
        seen = evidence(facts)
        last = max((list(Station).index(station) for station in seen), default=-1)
        passed = dict(self.passed)
        floor = max(passed.values(), default=self.started)
        for station in list(Station)[: last + 1]:
            if station not in passed:
                passed[station] = min(max(seen.get(station) or now, floor), now)
            floor = passed[station]
        return Progress(self.started, passed)
