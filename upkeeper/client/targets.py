"""Which target a command means when it names none. Pure."""

from collections.abc import Sequence

from exporter.base.text import nearest
from remediator.model.errors import EXIT_USAGE, ClientError
from remediator.model.shapes.tasks import TaskView
from remediator.statedir import DRILL_TARGET

ALL = "all"
"""The target that stands for all of a task's targets, if it has one."""


def only_target(tasks: Sequence[TaskView], task: str) -> str:
    """The only target of a task, or the one that stands for all. The drill's own target does not count.

    Raises ClientError, with the nearest name or the list of targets, if the task does not exist or the target is
    ambiguous.
    """
    known = {view["name"]: view["targets"] for view in tasks}
    if task not in known:
        hint = nearest(task, known) or f"known tasks: {', '.join(sorted(known))}"
        raise ClientError(f"there is no task {task!r}; {hint}", EXIT_USAGE)
    targets = [target for target in known[task] if target != DRILL_TARGET]
    if not targets:
        raise ClientError(
            f"{task} has no target: nothing of its kind is configured or was found; add one to the config\n"
            "see: upkeeper config show",
            EXIT_USAGE,
        )
    if ALL in targets:
        return ALL
    if len(targets) > 1:
        raise ClientError(f"{task} has {len(targets)} targets, name one: {', '.join(targets)}", EXIT_USAGE)
    return targets[0]
