"""What the guards are to know of the remedies that match: the targets that there are, and the subjects that follow."""

from collections.abc import Collection, Iterable, Mapping

from exporter.base.errors import UpkeeperError
from remediator.decide.decide import by_container, no_target
from remediator.guards.guard import Subject
from remediator.model.decision import Selection
from remediator.model.task import Task
from remediator.model.tasks import made

Targets = Mapping[str, Collection[str] | UpkeeperError]
"""The targets of each task, or why they cannot be told."""


async def targets_of(tasks: Mapping[str, Task], names: Iterable[str]) -> Targets:
    """The targets of the tasks of these names, but for those that there are not."""
    found: dict[str, Collection[str] | UpkeeperError] = {}
    for name in names:
        task = await made(tasks, name)
        if task is None:
            continue
        try:
            found[name] = frozenset(await task.targets())
        except UpkeeperError as error:
            found[name] = error
    return found


def subject_of(host: str, selection: Selection) -> Subject:
    """The subject of a selection that has a target."""
    assert selection.target is not None, "guards are asked about a target that there is"
    remedy = selection.remedy
    return Subject.of(host, remedy.task, selection.target, remedy, observing=remedy.autonomy == "observe")


def subjects_of(host: str, selections: Iterable[Selection], targets: Targets) -> set[Subject]:
    """The subjects of those that have a target that there is."""
    return {subject for each in selections if (subject := _subject(host, each, targets)) is not None}


def _subject(host: str, selection: Selection, targets: Targets) -> Subject | None:
    known = targets.get(selection.remedy.task)
    if isinstance(known, UpkeeperError) or known is None:
        return None
    selection = by_container(selection, known)
    return subject_of(host, selection) if no_target(selection, known) is None else None
