"""What security-review is."""

from remediator.model.taskfacts import TaskFacts

ALL = "all"

SECURITY_REVIEW = TaskFacts(
    name="security-review",
    summary="Looks for what lets others in: logins, ports, containers, secrets, updates, old or vulnerable images.",
    never=("anything: it only looks",),
    configured=lambda document: [ALL],
    unattended="auto",
    shows="findings",
)
