"""What the tasks about performance are."""

from remediator.model.taskfacts import Figure, TaskFacts

ALL = "all"
_NEVER = ("anything: it only looks",)

PERFORMANCE_CHECK = TaskFacts(
    name="performance-check",
    summary="Tells what uses CPU, memory, disk and network now: host, containers, processes, queries.",
    never=(*_NEVER, "the text of a running query, which may hold data: only its first word is told"),
    configured=lambda document: [ALL],
    unattended="auto",
    shows="figures",
    figures=(
        Figure("resource", "what"),
        Figure("who", "who"),
        Figure("value", "uses", "amount"),
        Figure("share", "of all", "ratio"),
        Figure("detail", "detail"),
    ),
    repeatable=True,
)

PERFORMANCE_ANALYSIS = TaskFacts(
    name="performance-analysis",
    summary="Compares the last hour with what is usual for this hour and weekday, and tells the trend.",
    never=_NEVER,
    configured=lambda document: [ALL],
    unattended="auto",
    shows="figures",
    figures=(
        Figure("figure", "what"),
        Figure("who", "who"),
        Figure("now", "last hour", "amount"),
        Figure("usual", "usual", "amount"),
        Figure("judgement", "is"),
        Figure("trend_share", "a week", "ratio"),
        Figure("says", "trend"),
    ),
    repeatable=True,
)

PERFORMANCE_ADVICE = TaskFacts(
    name="performance-advice",
    summary="Names the three things most worth doing, each with the task that does it.",
    never=_NEVER,
    configured=lambda document: [ALL],
    unattended="auto",
    shows="figures",
    figures=(
        Figure("task", "task"),
        Figure("target", "target"),
        Figure("why", "why"),
        Figure("actions", "actions", "number"),
        Figure("value", "frees", "amount"),
        Figure("command", "command"),
    ),
    repeatable=True,
)
