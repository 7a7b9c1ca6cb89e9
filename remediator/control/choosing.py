"""Which task and which target a request means."""

from collections.abc import Mapping
from typing import Any

from exporter.base.errors import UpkeeperError
from exporter.base.text import nearest
from remediator.model.errors import not_found, unavailable, unprocessable
from remediator.model.params import wrong
from remediator.model.task import Task


def known_task(tasks: Mapping[str, Task], name: str) -> Task:
    """The task of this name. Raises RequestError with the nearest name, or with all names."""
    if name in tasks:
        return tasks[name]
    hint = nearest(name, tasks) or f"known tasks: {', '.join(sorted(tasks))}"
    raise not_found(f"there is no task {name!r}; {hint}")


async def chosen_task(tasks: Mapping[str, Task], name: str, target: str, params: Mapping[str, Any]) -> Task:
    """The task of this name, checked to have this target and to take these parameters.

    Raises RequestError, listing what exists.
    """
    found = known_task(tasks, name)
    try:
        targets = await found.targets()
    except UpkeeperError as error:
        raise unavailable(str(error)) from error
    if target not in targets:
        known = ", ".join(sorted(targets)) or "none; add one to the config"
        raise not_found(f"{name} has no target {target!r}; its targets: {known}")
    mistake = wrong(name, found.parameters, params)
    if mistake is not None:
        raise unprocessable(str(mistake))
    return found
