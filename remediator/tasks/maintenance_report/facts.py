"""What maintenance-report is."""

from remediator.model.taskfacts import TaskFacts

ALL = "all"

HTML, MARKDOWN, JSON = "report.html", "report.md", "report.json"
"""The files that a run makes."""

MAINTENANCE_REPORT = TaskFacts(
    name="maintenance-report",
    summary="Tells what was done, proven and saved, what is open, what changed, and what will be full when.",
    never=("anything: it only reads, and tells whom `notify:` names",),
    configured=lambda document: [ALL],
    unattended="auto",
    repeatable=True,
)
