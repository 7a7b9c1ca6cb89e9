"""What `upkeeper check` says of a schedule whose jobs are valid each by itself. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, pairwise

from exporter.base.units import format_duration
from exporter.configfile.file import Loaded
from exporter.configfile.problem import Problem
from remediator.config.config import Config
from remediator.config.cron import parse_cron
from remediator.config.guards import in_force
from remediator.config.schedule import Job
from remediator.model.params import wrong
from remediator.model.task import Parameters
from remediator.model.taskfacts import TaskFacts
from upkeeper.look.check_remedies import choice

_LOOKED_AT = 50
"""Due times of a job between which the shortest interval is looked for."""
_FROM = 1_767_225_600.0
"""From 2026-01-01 on: the answer must not depend on the day."""


def schedule_problems(
    loaded: Loaded[Config],
    targets: Mapping[str, Collection[str]],
    found_later: Collection[str],
    facts: Mapping[str, TaskFacts],
    parameters: Mapping[str, type[Parameters]],
) -> Iterator[Problem]:
    """targets: those that each task has; found_later: tasks that may have more at another time; parameters: what each
    task takes.
    """
    jobs: Sequence[Job] = loaded.value.schedule.jobs or ()
    for index, written in enumerate(jobs):
        at = ("schedule", "jobs", index)
        job = in_force(written, loaded.value.guards)
        if job.task not in targets:
            message = f"there is no task {job.task!r}"
            yield loaded.problem((*at, "task"), message, choice(job.task, targets))
        elif job.target is not None and job.target not in targets[job.task]:
            later = job.task in found_later
            message = f"{job.task} has no target {job.target!r}" + (" at present" if later else "")
            hint = choice(job.target, targets[job.task])
            yield loaded.problem((*at, "target"), message, hint, "warning" if later else "error")
        elif job.target is None and not targets[job.task]:
            message = f"{job.task} has no target: nothing of its kind is configured, so this job does nothing"
            yield loaded.problem((*at, "task"), message, "", "warning")
        mistake = wrong(job.task, parameters[job.task], job.params) if job.task in parameters else None
        if mistake is not None:
            first = mistake.name.partition(".")[0]
            place = ("params", first) if first in job.params else ("params",)
            yield loaded.problem((*at, *place), mistake.message, mistake.hint)
        interval = shortest_interval(job.at)
        shown = format_duration(interval)
        if job.jitter >= interval:
            message = f"the jitter of {format_duration(job.jitter)} is as long as the time between two runs, {shown}"
            yield loaded.problem((*at, "jitter"), message, "make it shorter", "warning")
        does = facts.get(job.task)
        if does is not None and does.shows == "actions" and not does.parts and job.cooldown > interval:
            message = (
                f"a run that did something is followed by a cooldown of {format_duration(job.cooldown)}, longer than"
                f" the time between two runs, {shown}: it blocks the next"
            )
            yield loaded.problem((*at, "at"), message, "set `cooldown:` in the job, such as 0s", "warning")
        if job.grace < job.jitter:
            message = f"it counts as overdue after {format_duration(job.grace)}, and may begin later than that"
            yield loaded.problem((*at, "jitter"), message, "make `grace:` longer than the jitter", "warning")
    yield from _twice(loaded, jobs)


def shortest_interval(at: str) -> float:
    """Seconds between two due times of an expression that follow each other."""
    times = list(islice(parse_cron(at).times(_FROM), _LOOKED_AT))
    return min((later - earlier for earlier, later in pairwise(times)), default=float("inf"))


def _twice(loaded: Loaded[Config], jobs: Sequence[Job]) -> Iterator[Problem]:
    """Jobs that do at the same times what an earlier one does."""
    for index, job in enumerate(jobs):
        same = [
            other.name
            for other in jobs[:index]
            if (other.task, other.target, parse_cron(other.at).text) == (job.task, job.target, parse_cron(job.at).text)
        ]
        if same:
            message = f"is redundant: {same[0]!r} does the same at the same times"
            yield loaded.problem(("schedule", "jobs", index, "at"), message, "keep one of them", "warning")
