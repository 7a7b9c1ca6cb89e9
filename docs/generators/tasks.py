"""docs/tasks/README.md: the tasks, from their facts."""

from docs.generators.markdown import blocks, code, table
from remediator.tasks.registry import FACTS

INTRODUCTION = """\
# Tasks

<!-- Written by docs/generate.py from remediator/tasks/*/facts.py. Change those, and run it again. -->

A task is a maintenance job. It plans first, which changes nothing, and then does what the plan said or less, never
more; it measures before and after. A task is run by a remedy, when an alert fires, by the
[schedule](../how-to/schedule.md), or by hand:

    upkeeper tasks                  # with their targets on this machine
    upkeeper plan TASK [TARGET]     # what it would do, and what would keep it from that
    upkeeper run TASK [TARGET]      # does it

Disruption: *none*, nobody notices; *brief*, a service is away for seconds; *outage*, for longer."""


def page() -> str:
    """The page."""
    overview = [
        [f"[{name}]({name}.md)", facts.summary.removesuffix("."), f"*{facts.disruption}*"]
        for name, facts in FACTS.items()
    ]
    never = [
        part
        for name, facts in FACTS.items()
        for part in (f"### {code(name)}", "\n".join(f"- {item}" for item in facts.never))
    ]
    return blocks(
        INTRODUCTION, table(["task", "what it does", "disruption"], overview), "## What each never touches", *never
    )
