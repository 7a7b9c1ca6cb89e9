"""Which targets a job, or a part of a task, means where it names none."""

from collections.abc import Sequence

from remediator.model.task import Task
from remediator.statedir import DRILL_TARGET

ALL = "all"
"""The target that stands for all of a task's targets, if it has one."""


async def meant_by(task: Task, target: str | None) -> Sequence[str]:
    """The one that is named; else the one for all, else all but the drill's. Raises what the task's targets() does."""
    if target is not None:
        return [target]
    known = await task.targets()
    return [ALL] if ALL in known else sorted(name for name in known if name != DRILL_TARGET)
