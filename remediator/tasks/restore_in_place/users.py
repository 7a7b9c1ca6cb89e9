"""Which containers use a path of this machine."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from exporter.docker.engine import DockerEngine
from remediator.model.task import TaskError


async def users(engine: DockerEngine, paths: Sequence[Path]) -> list[str]:
    """The names of those that run with any of these paths, what is above or below it mounted, sorted.

    Raises TaskError where one is paused, which would go on with what was there; UpkeeperError where it cannot be told.
    """
    found: list[dict[str, Any]] = await engine.call(lambda client: client.containers())
    using = [each for each in found if any(_overlap(Path(source), path) for source in _mounts(each) for path in paths)]
    for each in using:
        if each.get("State") == "paused":
            raise TaskError(f"the container {_name(each)} uses {paths[0]} and is paused; let it run or stop it first")
    return sorted(_name(each) for each in using)


def _mounts(container: dict[str, Any]) -> Iterable[str]:
    return [os.path.realpath(str(each["Source"])) for each in container.get("Mounts") or [] if each.get("Source")]


def _overlap(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def _name(container: dict[str, Any]) -> str:
    return str(container["Names"][0]).lstrip("/")
