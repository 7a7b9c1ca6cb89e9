"""docs/tasks/README.md: the tasks, from the registry."""

from docs.generators.markdown import blocks, code, table
from exporter.docker.engine import DockerEngine
from remediator.config.remedies import Config
from remediator.tasks.registry import build_tasks

INTRODUCTION = """\
# Tasks

<!-- Written by docs/generate.py from remediator/tasks/registry.py. Change those, and run it again. -->

A task is a maintenance job. It plans first, which changes nothing, and then does what the plan said or less, never
more; it measures before and after. A task is run by a remedy, when an alert fires, or by hand:

    upkeeper tasks                  # with their targets on this machine
    upkeeper plan TASK [TARGET]     # what it would do, and what would keep it from that
    upkeeper run TASK [TARGET]      # does it

Disruption: *none*, nobody notices; *brief*, a service is away for seconds; *outage*, for longer."""


def page() -> str:
    """The page."""
    engine = DockerEngine()
    tasks = build_tasks(Config(), engine)
    engine.close()
    overview = [
        [f"[{name}]({name}.md)", task.summary.removesuffix("."), f"*{task.disruption}*"] for name, task in tasks.items()
    ]
    never = [
        part
        for name, task in tasks.items()
        for part in (f"### {code(name)}", "\n".join(f"- {item}" for item in task.never))
    ]
    return blocks(
        INTRODUCTION, table(["task", "what it does", "disruption"], overview), "## What each never touches", *never
    )
