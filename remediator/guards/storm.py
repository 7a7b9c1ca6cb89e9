"""So much is wrong at once that the cause is elsewhere, or alerts no longer come: nothing runs by itself.

A person may still run what he sees fit.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import sqlalchemy as sa

from exporter.base.units import format_duration
from remediator.guards.guard import Case, Facts, Guard, Sources, Subject, time_left
from remediator.model.hold import Hold
from remediator.store import alerts

AGAIN = 60.0
"""Seconds after which it is looked again whether the Watchdog is back."""


@dataclass(frozen=True)
class Alerting(Facts):
    """When the alerts that fire began to come, newest first, as many as matter; None: it was not asked for.

    lost: why nothing that comes can be relied on, as the Watchdog is lost; empty while it comes.
    """

    began: Sequence[float] | None = None
    lost: str = ""

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        lost = sources.watchdog_lost()
        most = max((subject.settings.storm.alerts or 0 for subject in subjects), default=0)
        longest = max((subject.settings.storm.within for subject in subjects), default=0.0)
        read = partial(cls._read, since=now - longest, limit=most + 1, host=sources.database.shared_as)
        began = await sources.database.read(read) if most else None
        return dict.fromkeys(subjects, cls(began, lost))

    @staticmethod
    def _read(connection: sa.Connection, since: float, limit: int, host: str | None) -> Sequence[float]:
        return alerts.began(connection, since, limit, host)


def blocks(facts: Alerting, case: Case) -> Hold | None:
    if case.by_hand:
        return None
    if facts.lost:
        return Hold(facts.lost, case.now + AGAIN)
    allowed, within = case.settings.storm.alerts, case.settings.storm.within
    if allowed is None:
        return None
    if facts.began is None:
        raise LookupError("the alerts were not counted")
    began = [at for at in facts.began if at > case.now - within]
    if len(began) <= allowed:
        return None
    until = began[allowed] + within
    reason = (
        f"more than {allowed} alerts began within {format_duration(within)}: the cause is likely to be elsewhere,"
        f" a person should look (over in {time_left(until, case.now)}, if no more come)"
    )
    return Hold(reason, until)


def says(facts: Alerting, case: Case) -> str:
    if case.by_hand:
        return "a person asks, who sees what comes of it"
    allowed, within = case.settings.storm.alerts, case.settings.storm.within
    if allowed is None or facts.began is None:
        return "any number of alerts is allowed"
    began = sum(at > case.now - within for at in facts.began)
    return f"{began} of {allowed} alerts that fire began within {format_duration(within)}"


STORM = Guard("storm", Alerting, blocks, says)
