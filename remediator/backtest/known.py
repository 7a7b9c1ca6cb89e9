"""What is still known of what held remedies back in the past, beside the alerts themselves: pauses, breakers closed by
hand and changes of autonomy from the audit, plans from the runs of the record, silences from Alertmanager. Pure.
"""

import bisect
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from remediator.audit.record import Kind, Record
from remediator.config.autonomy import Autonomy
from remediator.config.matchers import Matcher, Op
from remediator.model.hold import Pause
from remediator.model.silence import Silence, in_words, is_ours

KINDS: Collection[Kind] = (
    "pause.set",
    "pause.ended",
    "breaker.closed",
    "autonomy.demoted",
    "autonomy.promoted",
    "autonomy.reset",
)
"""Records of the audit that tell of it."""
SILENCES_KEPT = 5 * 86400.0
"""Seconds for which Alertmanager tells of a silence that has ended (its ``--data.retention``, by default)."""

Place = tuple[str, str]
"""A task and a target."""


@dataclass(frozen=True)
class Planned:
    """A plan that a run had: when (Unix seconds), and what it was about."""

    at: float
    bytes: int
    items: int


@dataclass(frozen=True)
class Muted:
    """While a silence was in force, which alerts it kept from people, and why in words."""

    begins: float
    ends: float
    matchers: Sequence[Matcher]
    why: str

    def of(self, labels: Mapping[str, str], now: float) -> bool:
        return self.begins <= now < self.ends and all(one.matches(labels) for one in self.matchers)


@dataclass(frozen=True)
class Known:
    """since: from when on the record tells of it (Unix seconds); None where there is no record. pauses: each with its
    true end. closed: when breakers were closed by hand. levels: of remedies, oldest first, what each might do from
    when on. plans: of runs, oldest first. muted_since: from when on silences are known; None: they are not.
    why_not: for people, what could not be read, and why.
    """

    since: float | None = None
    pauses: Sequence[Pause] = ()
    closed: Mapping[Place, Sequence[float]] = field(default_factory=dict)
    levels: Mapping[str, Sequence[tuple[float, Autonomy]]] = field(default_factory=dict)
    plans: Mapping[Place, Sequence[Planned]] = field(default_factory=dict)
    muted: Sequence[Muted] = ()
    muted_since: float | None = None
    why_not: Sequence[str] = ()

    def paused(self, task: str, now: float) -> Sequence[Pause]:
        """The pauses in force then that hold back the task, oldest first."""
        return [
            one
            for one in self.pauses
            if one.task in (None, task) and one.since <= now and (one.until is None or one.until > now)
        ]

    def closed_at(self, place: Place, now: float) -> float:
        """When its breaker had last been closed by hand; 0 for never."""
        times = self.closed.get(place, ())
        index = bisect.bisect_right(times, now)
        return times[index - 1] if index else 0.0

    def level(self, remedy: str, now: float) -> Autonomy | None:
        """What a remedy might do then; None: what the config says."""
        changes = self.levels.get(remedy, ())
        index = bisect.bisect_right(changes, now, key=lambda change: change[0])
        return changes[index - 1][1] if index else None

    def plan(self, place: Place, now: float) -> Planned | None:
        """The plan of the last run before then, or of the first after it; None where there was none."""
        plans = self.plans.get(place, ())
        if not plans:
            return None
        index = bisect.bisect_right(plans, now, key=lambda plan: plan.at)
        return plans[max(0, index - 1)]

    def mute(self, labels: Mapping[str, str], now: float) -> Muted | None:
        """The silence that ends last of those that kept an alert from people then."""
        return max((one for one in self.muted if one.of(labels, now)), key=lambda one: one.ends, default=None)


def pauses_of(records: Iterable[Record]) -> Sequence[Pause]:
    """The pauses that were, by the records of a host's audit, oldest first. A new one replaces one of the same task."""
    found: list[Pause] = []
    open_: dict[str | None, int] = {}
    for record in records:
        at, body = record.at / 1000, json.loads(record.body)
        if record.kind not in ("pause.set", "pause.ended"):
            continue
        index = open_.pop(body["task"], None)
        if index is not None:
            before = found[index]
            if before.until is None or at < before.until:
                found[index] = replace(before, until=at)
        if record.kind == "pause.set":
            seconds = body["seconds"]
            open_[body["task"]] = len(found)
            found.append(Pause(body["task"], body["reason"], at, None if seconds is None else at + seconds))
    return found


def closed_of(records: Iterable[Record]) -> Mapping[Place, Sequence[float]]:
    """When breakers were closed by hand, oldest first."""
    found: dict[Place, list[float]] = {}
    for record in records:
        if record.kind == "breaker.closed":
            body = json.loads(record.body)
            found.setdefault((body["task"], body["target"]), []).append(record.at / 1000)
    return found


def levels_of(records: Iterable[Record], remedies: Collection[str]) -> Mapping[str, Sequence[tuple[float, Autonomy]]]:
    """What those remedies might do, and from when on: first what each could before its first change."""
    found: dict[str, list[tuple[float, Autonomy]]] = {}
    for record in records:
        if not record.kind.startswith("autonomy."):
            continue
        body = json.loads(record.body)
        if body["remedy"] in remedies:
            changes = found.setdefault(body["remedy"], [(0.0, cast(Autonomy, body["before"]))])
            changes.append((record.at / 1000, cast(Autonomy, body["after"])))
    return found


_OPS: Mapping[tuple[bool, bool], Op] = {
    (False, True): "=",
    (False, False): "!=",
    (True, True): "=~",
    (True, False): "!~",
}


def muted_by(silences: Iterable[Silence], host: str) -> Sequence[Muted]:
    """While which silences of people were in force. Ours hold back a page and no run."""
    return [
        Muted(one.starts_at, one.ends_at, matchers, in_words(one))
        for one in silences
        if not is_ours(one, host)
        and (matchers := [Matcher(each.name, _OPS[each.regex, each.equal], each.value) for each in one.matchers])
    ]
