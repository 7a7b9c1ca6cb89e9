"""What the calendar may do by itself. Pure."""

from remediator.config.autonomy import Autonomy
from remediator.config.schedule import Job, Schedule
from remediator.model.run import Run
from remediator.model.task import Task


def only_plans(job: Job | None, task: Task) -> bool:
    """Whether a job's run of a task is dry: by the job's own word, else by what the task is."""
    chosen = None if job is None else job.autonomy
    return (chosen or task.facts.unattended) == "observe"


def of_part(schedule: Schedule, asked: Run, task: Task) -> Autonomy:
    """What may be done of a part of the run that was asked for. What a person or a remedy asks for is done."""
    if asked.trigger != "schedule":
        return "auto"
    job = next((job for job in schedule.in_force if job.name == asked.caller.name), None)
    return (None if job is None else job.autonomy) or task.facts.unattended
