"""The runs of a task on a target: the one under way, and how those before it ended.

One read for all guards that judge by runs, so that a run which ends meanwhile is in one place or the other.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import sqlalchemy as sa

from remediator.guards.guard import Facts, Sources, Subject
from remediator.model.hold import PastRun
from remediator.store import approvals, holds


@dataclass(frozen=True)
class History(Facts):
    """The runs so far. closed_at: when a person last closed the breaker (Unix seconds); 0 for never."""

    in_flight: int | None = None
    """The id of an unfinished run of this task on this target."""
    past: Sequence[PastRun] = ()
    """Newest first, at least those of the last day and as many as the breaker counts."""
    closed_at: float = 0.0
    waits_for: int | None = None
    """The approval that the run in flight waits for."""

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        return await sources.database.read(partial(cls._read, subjects=subjects))

    @classmethod
    def _read(cls, connection: sa.Connection, subjects: Collection[Subject]) -> Mapping[Subject, Self]:
        unfinished = holds.unfinished_runs(connection)
        closed = holds.breakers_closed(connection)
        asked = approvals.asked(connection) if unfinished else {}
        found = {}
        for subject in subjects:
            place = subject.place
            in_flight = next((run for run in unfinished.get(place, ()) if run != subject.run_id), None)
            past = holds.past_runs(connection, place, observing=subject.observing, limit=cls._most(subject))
            found[subject] = cls(in_flight, past, closed.get(place, 0.0), asked.get(in_flight or 0))
        return found

    @classmethod
    def _most(cls, subject: Subject) -> int:
        """Runs before this one that are read."""
        return holds.REMEMBERED_RUNS

    def with_run(self, about: Subject, started: Subject, run_id: int) -> Self:
        return replace(self, in_flight=run_id, waits_for=None) if about.place == started.place else self


@dataclass(frozen=True)
class Newest(History):
    """The same with only as many runs as the breaker of the subject's settings counts."""

    @classmethod
    def _most(cls, subject: Subject) -> int:
        return min(subject.settings.breaker.failures, holds.REMEMBERED_RUNS)
