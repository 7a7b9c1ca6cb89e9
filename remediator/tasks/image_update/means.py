"""What image-update is asked and works with, and the words for its steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from exporter.docker.engine import DockerEngine
from exporter.probing.run import run_probe
from remediator.model.task import Parameters, TaskError
from remediator.tasks.image_update import compose as composes
from remediator.tasks.image_update import journal as journals
from remediator.tasks.image_update.alerts import Alerts
from remediator.tasks.image_update.data import Data
from remediator.tasks.image_update.distribution import Known
from remediator.tasks.image_update.journal import Journal
from remediator.tasks.image_update.watch import Patience, Prober
from remediator.tasks.worker import in_thread

BACK_UP, PULL, EXAMINE, REHEARSE, UPDATE = "back-up", "pull-image", "examine-image", "rehearse", "update-service"
FINISH, KEEP, GO_BACK = "finish-update", "keep-image", "go-back"


class Updating(Parameters):
    """Of image-update."""

    young: bool = Field(default=False, description="take the new image although it is younger than images.min_age")
    major: bool = Field(default=False, description="take another major version too; never of a database")
    again: bool = Field(default=False, description="take the new image although the service went back from it before")
    settle: Literal["", "keep", "image", "image-and-data"] = Field(
        default="",
        description="what is to stay of an update that asks: the new image; the former image; or that and its data",
    )


@dataclass(frozen=True)
class Means:
    """What the task works with, beside the config. state_dir: where our files are. clock: Unix seconds."""

    engine: DockerEngine
    state_dir: Path
    known: Known
    alerts: Alerts
    data: Data
    probe: Prober = run_probe
    patience: Patience | None = None
    clock: Callable[[], float] = time.time
    has_state: bool = True
    """Whether there is a state directory at all: without one nothing is planned."""

    async def journal(self, target: str) -> Journal | None:
        """The update of a service that is not settled. Raises TaskError."""
        path = journals.path_of(self.state_dir, *names(target))
        return await in_thread(lambda _: journals.read(path))


def names(target: str) -> tuple[str, str]:
    """Project, whose name has no dot, and service. Raises TaskError for what is neither. Pure."""
    project, dot, service = target.partition(".")
    if not dot or not composes.is_project(project) or not composes.is_service(service):
        raise TaskError(f"{target!r} is no service of a Compose project, as in stack.app")
    return project, service
