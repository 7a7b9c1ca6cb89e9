"""At most so many runs that interrupt something act on a host at the same time.

The database itself enforces this: a run takes a slot before it acts (store/slots.py). The guard says so before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import sqlalchemy as sa

from remediator.guards.guard import Case, Facts, Guard, Sources, Subject
from remediator.model.hold import Block, Hold
from remediator.model.task import Task
from remediator.model.tasks import facts_of
from remediator.store import slots
from remediator.store.slots import Rival


def is_disruptive(tasks: Mapping[str, Task], name: str) -> bool:
    """Whether a task interrupts something. One that is not known might."""
    facts = facts_of(tasks).get(name)
    return facts is None or facts.disruption != "none"


@dataclass(frozen=True)
class Rivals(Facts):
    """The other disruptive runs of the host. acting: those that have a slot; coming: those that want one yet."""

    disruptive: Mapping[str, bool]
    """By the names of the tasks in question."""
    acting: Sequence[Rival] = ()
    coming: Sequence[Rival] = ()

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        tasks = sources.tasks()
        disruptive = {name: is_disruptive(tasks, name) for name in {subject.task for subject in subjects}}
        if not any(disruptive.values()):
            return dict.fromkeys(subjects, cls(disruptive))
        return await sources.database.read(partial(cls._read, subjects=subjects, disruptive=disruptive, tasks=tasks))

    @classmethod
    def _read(
        cls,
        connection: sa.Connection,
        subjects: Collection[Subject],
        disruptive: Mapping[str, bool],
        tasks: Mapping[str, Task],
    ) -> Mapping[Subject, Self]:
        rivals = {host: slots.rivals(connection, host) for host in {subject.host for subject in subjects}}
        found = {}
        for subject in subjects:
            others = [one for one in rivals[subject.host] if one.run_id != subject.run_id]
            acting = [one for one in others if one.acting]
            coming = [one for one in others if not one.acting and is_disruptive(tasks, one.task)]
            found[subject] = cls(disruptive, acting, coming)
        return found

    def with_run(self, about: Subject, started: Subject, run_id: int) -> Self:
        if about.host != started.host or started.observing or not self.disruptive.get(started.task, True):
            return self
        return replace(self, coming=[*self.coming, Rival(run_id, started.task, started.target, acting=False)])


def blocks(facts: Rivals, case: Case) -> Hold | None:
    """A run that is about to act is in the way of those alone that act already: else two would wait for each other."""
    if case.subject.observing or not facts.disruptive[case.subject.task]:
        return None
    rivals = [*facts.acting] if case.subject.run_id is not None else [*facts.acting, *facts.coming]
    allowed = case.settings.concurrency.disruptive_per_host
    return _hold(rivals, allowed) if len(rivals) >= allowed else None


def _hold(rivals: Sequence[Rival], allowed: int) -> Hold:
    which = ", ".join(f"run {one.run_id} ({one.task} on {one.target})" for one in rivals)
    at_most = "one run" if allowed == 1 else f"{allowed} runs"
    return Hold(f"{which} comes first: at most {at_most} that may interrupt a service at a time")


def block_by(rivals: Sequence[Rival], allowed: int) -> Block:
    """The block of runs that have taken the slots since this one was judged."""
    return Block.of(CONCURRENCY.name, _hold(rivals, allowed))


def says(facts: Rivals, case: Case) -> str:
    if case.subject.observing or not facts.disruptive[case.subject.task]:
        return "it interrupts nothing"
    allowed = case.settings.concurrency.disruptive_per_host
    return f"{len(facts.acting) + len(facts.coming)} of {allowed} runs that may interrupt a service are under way"


CONCURRENCY = Guard("concurrency", Rivals, blocks, says)
