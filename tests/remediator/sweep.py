"""A small real task for tests of the loop around tasks: keeps a directory below a number of files."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from exporter.base.wakeup import is_set_within
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, TaskError
from remediator.model.taskfacts import TaskFacts
from remediator.progress import tell


class Only(Parameters):
    """The one file that is meant."""

    only: str | None = None


class Sweep:
    """Deletes the files of a directory, at most ``limit`` of which are allowed: every one, or ``most`` in a run.

    Its target is the attic; a cellar beside it is another. useless: it claims to delete and does not. broken: applying
    fails.
    """

    facts = TaskFacts(
        name="sweep", summary="deletes the files of a directory", never=("directories",), configured=lambda _: ["attic"]
    )
    parameters: type[Parameters] = Parameters
    action_timeout = 5.0

    def __init__(self, directory: Path, limit: int = 0) -> None:
        self.directory = directory
        self.limit = limit
        self.most: int | None = None
        self.cellar: Path | None = None
        self.useless = False
        self.broken = False
        self.unknown_targets = False
        self.stuck: asyncio.Event | None = None
        """When set, ``apply`` waits for it, and tells that it is ``at`` of ten files."""
        self.at = 1
        self.applied: list[str] = []

    async def targets(self) -> Sequence[str]:
        if self.unknown_targets:
            raise TaskError("the directory service does not answer")
        return ["attic"] if self.cellar is None else ["attic", "cellar"]

    def _room(self, target: str) -> Path:
        return self.cellar if target == "cellar" and self.cellar is not None else self.directory

    def _files(self, target: str) -> list[Path]:
        return sorted(path for path in self._room(target).iterdir() if path.is_file())

    async def measure(self, target: str) -> Measurement:
        count = len(self._files(target))
        return Measurement(breached=count > self.limit, values={"files": count}, detail=f"{count} files")

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        given = Only.model_validate(dict(params)).only if "only" in params else None
        files = [path for path in self._files(target)[: self.most] if given in (None, path.name)]
        return Plan(actions=[Action(kind="delete", object=path.name, reason="a file") for path in files])

    async def apply(self, target: str, action: Action) -> Effect:
        self.applied.append(action.object)
        if self.stuck is not None:
            tell(self.at, 10, "files")
            while not await is_set_within(self.stuck, 0.02):
                tell(self.at, 10, "files")
        if self.broken:
            raise TaskError(f"{action.object} will not go")
        path = self._room(target) / action.object
        if self.useless:
            return Effect(state="done")
        if not path.exists():
            return Effect(state="skipped", detail="gone already")
        path.unlink()
        return Effect(state="done", freed_bytes=1)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return after.values["files"] < before.values["files"]
