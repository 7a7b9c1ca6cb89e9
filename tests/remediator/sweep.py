"""A small real task for tests of the loop around tasks: keeps a directory below a number of files."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from remediator.model.task import Action, Disruption, Effect, Measurement, Plan, TaskError


class Sweep:
    """Deletes every file of a directory, at most ``limit`` of which are allowed.

    useless: it claims to delete and does not. broken: applying fails.
    """

    name = "sweep"
    summary = "deletes the files of a directory"
    never: Sequence[str] = ("directories",)
    disruption: Disruption = "none"
    action_timeout = 5.0

    def __init__(self, directory: Path, limit: int = 0) -> None:
        self.directory = directory
        self.limit = limit
        self.useless = False
        self.broken = False
        self.unknown_targets = False
        self.stuck: asyncio.Event | None = None
        """When set, ``apply`` waits for it."""
        self.applied: list[str] = []

    async def targets(self) -> Sequence[str]:
        if self.unknown_targets:
            raise TaskError("the directory service does not answer")
        return ["attic"]

    def _files(self) -> list[Path]:
        return sorted(path for path in self.directory.iterdir() if path.is_file())

    async def measure(self, target: str) -> Measurement:
        count = len(self._files())
        return Measurement(breached=count > self.limit, values={"files": count}, detail=f"{count} files")

    async def plan(self, target: str) -> Plan:
        return Plan(actions=[Action(kind="delete", object=path.name, reason="a file") for path in self._files()])

    async def apply(self, target: str, action: Action) -> Effect:
        self.applied.append(action.object)
        if self.stuck is not None:
            await self.stuck.wait()
        if self.broken:
            raise TaskError(f"{action.object} will not go")
        path = self.directory / action.object
        if self.useless:
            return Effect(state="done")
        if not path.exists():
            return Effect(state="skipped", detail="gone already")
        path.unlink()
        return Effect(state="done", freed_bytes=1)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return after.values["files"] < before.values["files"]
