"""Open breakers, as status, remedies and metrics show them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from remediator.config.guards import GuardSettings
from remediator.config.remedies import Remedy
from remediator.decide.remedies import Remedies
from remediator.guards.breaker import BREAKER
from remediator.guards.guard import Case, Subject
from remediator.guards.history import Newest
from remediator.guards.judge import Judge
from remediator.store import holds
from remediator.store.database import Database

_BREAKER = replace(BREAKER, facts=Newest)
"""Judges by as many of the newest runs as it counts: there may be hundreds of targets, with a long past of each."""


@dataclass(frozen=True)
class OpenBreaker:
    """A breaker that keeps a task from a target. since: Unix seconds.

    remedies: those whose settings keep it open; empty if it blocks only runs by hand.
    """

    task: str
    target: str
    since: float
    remedies: Sequence[str]


async def open_breakers(database: Database, judge: Judge, remedies: Remedies, now: float) -> Sequence[OpenBreaker]:
    """The breakers that are open for any remedy or, without a remedy, for runs by hand."""
    everyone: list[GuardSettings] = [remedies.defaults, *remedies.remedies]
    longest = max(each.breaker.reset_after for each in everyone)
    most = max(everyone, key=lambda each: each.breaker.failures)
    suspects = await database.read(partial(holds.not_helped, host=database.host, since=now - longest))
    subjects = [Subject(database.host, task, target, settings=most) for task, target in suspects]
    gathered = await judge.only(_BREAKER).gather(subjects, now)
    found = []
    for subject in subjects:
        settings: Sequence[GuardSettings] = remedies.about(subject.task, subject.target) or [remedies.defaults]
        blocks = [(each, gathered.judge(Case(subject, each, now)).by(_BREAKER.name)) for each in settings]
        sinces = [block.since for _, block in blocks if block is not None and block.since is not None]
        if sinces:
            names = [each.name for each, block in blocks if block is not None and isinstance(each, Remedy)]
            found.append(OpenBreaker(subject.task, subject.target, min(sinces), names))
    return found
