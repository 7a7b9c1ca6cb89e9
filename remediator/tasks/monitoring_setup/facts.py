"""What monitoring-setup is."""

from remediator.model.taskfacts import Figure, TaskFacts

ALL = "all"

MONITORING_SETUP = TaskFacts(
    name="monitoring-setup",
    summary="Tells what of the monitoring is not in place, and after approval puts there what Upkeeper may.",
    never=(
        "a file that a person wrote or changed: what belongs into it is written beside it",
        "units, crontabs and the clock, which it only looks at",
        "credentials",
    ),
    configured=lambda document: [ALL],
    always_approve=True,
    figures=(
        Figure("area", "area"),
        Figure("name", "what"),
        Figure("state", "is"),
        Figure("detail", "detail"),
        Figure("remedy", "to do"),
    ),
)
