"""What health-check is."""

from remediator.model.taskfacts import TaskFacts
from remediator.tasks.document import names

ALL = "all"

HEALTH_CHECK = TaskFacts(
    name="health-check",
    summary="Probes every service and reads every container's health check, now.",
    never=("anything: it only looks",),
    configured=lambda document: [ALL, *names(document, "services")],
    unattended="auto",
    shows="checks",
    discovers=True,
)
