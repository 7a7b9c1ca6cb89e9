"""Tasks by their names: what is known of them without making one, and one made without holding up what else goes on."""

import asyncio
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from remediator.model.task import Task
from remediator.model.taskfacts import TaskFacts


@runtime_checkable
class KnowsFacts(Protocol):
    """Tasks that are made when they are asked for. Their facts are there before."""

    @property
    def facts(self) -> Mapping[str, TaskFacts]: ...


def facts_of(tasks: Mapping[str, Task]) -> Mapping[str, TaskFacts]:
    """The facts of each task by its name, without making one: most are never asked for, and take much memory."""
    return tasks.facts if isinstance(tasks, KnowsFacts) else {name: task.facts for name, task in tasks.items()}


async def made(tasks: Mapping[str, Task], name: str) -> Task | None:
    """The task of this name; None where there is none.

    In a thread: what a task imports when it is made may take a tenth of a second, in which webhooks come.
    """
    return await asyncio.to_thread(tasks.get, name)
