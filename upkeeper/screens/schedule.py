"""The schedule on the screen."""

from datetime import UTC, datetime

from exporter.base.spans import ago
from exporter.base.text import counted
from remediator.model.shapes.answers import Page
from remediator.model.shapes.schedule import DueView, JobView, WhyView
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES, local

_TOLD = 3
"""Due times of a job, of those that did not go as they should, that are told beside the list."""


def show_schedule(screen: Screen, page: Page[JobView]) -> None:
    """Each job: next, last, outcome, what was missed; then what did not go as it should, and why."""
    now = datetime.now(UTC)
    screen.document(page)
    screen.table(
        [
            Column("job"),
            Column("at"),
            Column("task", wide=True),
            Column("autonomy"),
            Column("next"),
            Column("last"),
            Column("outcome"),
            Column("missed", right=True),
        ],
        [
            [
                Cell(job["name"], "bold"),
                job["at"],
                job["task"] if job["target"] is None else f"{job['task']} on {job['target']}",
                state(job["autonomy"] or "by part"),
                "never" if job["next_at"] is None else local(job["next_at"]),
                "-" if job["last_due_at"] is None else ago(job["last_due_at"], now),
                Cell("overdue", STYLES["failed"]) if job["overdue"] else state(_outcome(job)),
                str(job["missed"] or "-"),
            ]
            for job in page["items"]
        ],
        empty="there are no jobs: nothing runs by the calendar",
    )
    for job in page["items"]:
        for due in [each for each in job["recent"] if each["state"] in ("missed", "blocked", "waiting")][:_TOLD]:
            screen.line(Cell(job["name"], "bold"), " ", state(due["state"]), f" {_when(due)}: {due['reason']}")


def _outcome(job: JobView) -> str | None:
    newest = next(iter(job["recent"]), None)
    if newest is not None and newest["state"] in ("running", "waiting"):
        return newest["state"]
    return job["last_outcome"]


def _when(due: DueView) -> str:
    if due["count"] == 1:
        return local(due["due_at"])
    return f"{local(due['first_due_at'])} to {local(due['due_at'])}, {counted(due['count'], 'time')}"


def show_why(screen: Screen, why: WhyView) -> None:
    """The answer, and what became of each target."""
    screen.document(why)
    screen.line(Cell(why["job"], "bold"), f": {why['answer']}")
    for target in why["due"]["targets"] if why["due"] is not None else ():
        what = f"run {target['run']}: upkeeper show {target['run']}" if target["run"] else target["reason"]
        screen.line(f"  {target['target']:12} {what}")
    if why["after"] is not None:
        screen.line(f"  due next after that: {local(why['after'])}")
