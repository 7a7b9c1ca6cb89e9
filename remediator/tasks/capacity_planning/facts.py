"""What capacity-planning is."""

from remediator.model.taskfacts import Figure, TaskFacts

ALL = "all"

CAPACITY_PLANNING = TaskFacts(
    name="capacity-planning",
    summary="Tells how fast everything grows that can be full, and when it will be, from Prometheus's history.",
    never=("anything: it only looks",),
    configured=lambda document: [ALL],
    unattended="auto",
    shows="figures",
    figures=(
        Figure("sink", "sink"),
        Figure("used", "used", "amount"),
        Figure("limit", "limit", "amount"),
        Figure("used_ratio", "of it", "ratio"),
        Figure("growth", "a day", "amount"),
        Figure("says", "full"),
        Figure("error_ratio", "was off by", "ratio"),
        Figure("remarks", "remarks"),
    ),
    repeatable=True,
    foretells=True,
)
