"""What the calendar may do by itself: a job's own word first, else what the task is."""

import pytest

from remediator.config.schedule import Job, Schedule, default_jobs
from remediator.model.caller import Caller
from remediator.model.run import Run
from remediator.model.task import Task
from remediator.model.words import Trigger
from remediator.schedule.autonomy import of_part, only_plans
from remediator.tasks.composite.task import Composite
from remediator.tasks.registry import FACTS

ADDS_ONLY = {"backup", "backup-verification", "disaster-recovery-test"}
"""They work on what a section of the config asks to be made, and add to it."""
LOOKS_ONLY = {
    "capacity-planning",
    "configuration-audit",
    "diagnose",
    "health-check",
    "image-check",
    "performance-advice",
    "performance-analysis",
    "performance-check",
    "security-review",
    "maintenance-report",
    "validate-config",
}


def task(name: str) -> Task:
    return Composite(FACTS[name])


def asked(trigger: Trigger, name: str) -> Run:
    return Run(
        host="kitchen", task="daily", target="all", caller=Caller(trigger, name), dry_run=False, id=1, state="running",
        requested_at=0.0, started_at=0.0, planned_at=None, before=None, after=None,
    )  # fmt: skip


def job(**more: object) -> Job:
    return Job.model_validate({"name": "night", "at": "@daily", "task": "daily", **more})


def test_by_itself_the_calendar_that_ships_only_looks_and_rotates_logs() -> None:
    """Whoever upgrades has it in force at once: nothing else may be done before he says so."""
    acting = {name for name, facts in FACTS.items() if facts.unattended == "auto" and not facts.parts}
    assert acting == {*LOOKS_ONLY, "log-rotation", *ADDS_ONLY}
    assert all(job.autonomy is None for job in default_jobs())


@pytest.mark.parametrize(
    ("trigger", "chosen", "part", "expected"),
    [
        ("schedule", None, "docker-cleanup", "observe"),
        ("schedule", None, "log-rotation", "auto"),
        ("schedule", "auto", "docker-cleanup", "auto"),
        ("schedule", "approve", "docker-cleanup", "approve"),
        ("schedule", "observe", "log-rotation", "observe"),
        ("cli", "observe", "docker-cleanup", "auto"),
    ],
)
def test_of_a_part(trigger: Trigger, chosen: str | None, part: str, expected: str) -> None:
    schedule = Schedule(jobs=[job(autonomy=chosen)])
    assert of_part(schedule, asked(trigger, "night"), task(part)) == expected


def test_of_a_part_whose_job_is_gone() -> None:
    assert of_part(Schedule(jobs=[]), asked("schedule", "night"), task("docker-cleanup")) == "observe"


def test_a_job_with_parts_is_no_dry_run_itself() -> None:
    assert not only_plans(job(), task("daily"))
    assert only_plans(job(autonomy="observe"), task("daily"))
