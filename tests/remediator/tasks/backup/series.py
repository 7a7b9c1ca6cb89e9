"""A series whose sets the tests make."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Backup as Series
from exporter.inventory.postgres import PostgresServer
from remediator.model.task import Effect, Plan, TaskError
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.task import Backup

OWNER = Owner(host="kitchen", state="/var/lib/upkeeper")


def series(path: Path, make: Mapping[str, Any], **keys: Any) -> Series:
    return Series.model_validate({"name": "pa", "path": str(path), "pattern": "backup-*", "make": dict(make), **keys})


def task(
    one: Series,
    postgres: Sequence[PostgresServer] = (),
    owner: Owner = OWNER,
    engine: DockerEngine | None = None,
    **keys: Any,
) -> Backup:
    docker = engine or DockerEngine("unix:///nowhere/docker.sock")
    return Backup([one], postgres, owner, "upkeeper of the tests", lambda: docker, **keys)


async def applied(backup: Backup, plan: Plan | None = None) -> list[Effect | str]:
    """The effects of all actions of a plan; of one that failed its message."""
    found: list[Effect | str] = []
    for action in (plan or await backup.plan("pa")).actions:
        try:
            found.append(await backup.apply("pa", action))
        except TaskError as error:
            found.append(str(error))
    return found


async def made(backup: Backup, path: Path) -> Path:
    """The directory of a new set."""
    before = set(path.iterdir())
    effects = await applied(backup)
    assert all(isinstance(effect, Effect) and effect.state == "done" for effect in effects), effects
    (new,) = set(path.iterdir()) - before
    return new
