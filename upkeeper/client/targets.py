"""Which target a command means when it names none. Pure."""

from collections.abc import Sequence

from exporter.base.text import nearest
from remediator.model.errors import EXIT_USAGE, ClientError
from remediator.model.shapes import TaskView
from remediator.statedir import DRILL_TARGET

ALL = "all"
"""The target of a task that looks at everything, where it has one."""


def only_target(tasks: Sequence[TaskView], task: str) -> str:
    """The target of a task that has just one, or one that is all of them. The drill's own is nobody's wish.

    Raises ClientError, with the nearest name or the list of targets, when there is no such task, or no telling which.
    """
    known = {view["name"]: view["targets"] for view in tasks}
    if task not in known:
        hint = nearest(task, known) or f"known tasks: {', '.join(sorted(known))}"
        raise ClientError(f"there is no task {task!r}; {hint}", EXIT_USAGE)
    targets = [target for target in known[task] if target != DRILL_TARGET]
    if not targets:
        raise ClientError(
            f"{task} has no target: nothing of its kind is configured or was found\nsee: upkeeper config show",
            EXIT_USAGE,
        )
    if ALL in targets:
        return ALL
    if len(targets) > 1:
        raise ClientError(f"{task} has {len(targets)} targets, name one: {', '.join(targets)}", EXIT_USAGE)
    return targets[0]
