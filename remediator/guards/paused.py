"""A person has paused a task, or everything."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from exporter.base.units import format_duration
from remediator.guards.guard import Case, Facts, Guard, Sources, Subject
from remediator.model.hold import Hold, Pause
from remediator.store import holds


@dataclass(frozen=True)
class Pauses(Facts):
    """The pauses of a task and of everything, oldest first."""

    pauses: Sequence[Pause] = ()

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        found = {
            host: await sources.database.read(partial(holds.active_pauses, host=host, now=now))
            for host in {subject.host for subject in subjects}
        }
        return {
            subject: cls([pause for pause in found[subject.host] if pause.task in (None, subject.task)])
            for subject in subjects
        }


def blocks(facts: Pauses, case: Case) -> Hold | None:
    for pause in facts.pauses:
        if pause.until is None or pause.until > case.now:
            what = f"task {pause.task} is" if pause.task else "all tasks are"
            end = f" for another {format_duration(round(pause.until - case.now))}" if pause.until else ""
            return Hold(f"{what} paused{end}: {pause.reason}", pause.until)
    return None


def says(facts: Pauses, case: Case) -> str:
    return "neither the task nor everything is paused"


PAUSED = Guard("paused", Pauses, blocks, says)
