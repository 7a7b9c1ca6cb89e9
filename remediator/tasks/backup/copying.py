"""Copies a set that was made to where its series says; that one of them fails does not touch the set."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import cast

from pydantic import Field

from exporter.backups import copies as noted
from exporter.backups import manifest as manifests
from exporter.backups.copies import Copy
from exporter.backups.directory import BackupDirectory
from exporter.backups.manifest import ManifestBroken
from exporter.backups.sets import compared
from exporter.inventory.backups import Backup as Series
from exporter.inventory.backups import CopyTo
from remediator.model.task import Action, Effect, Parameters, Plan, TaskError
from remediator.progress import tell
from remediator.tasks.backup.copies.destination import Destination, Original
from remediator.tasks.backup.copies.repository import Repository
from remediator.tasks.backup.journal import Owner

COPY_SET = "copy-set"


class Making(Parameters):
    """What is made."""

    only_copy: bool = Field(
        default=False, description="make no set: copy the newest one to where copy_to says, as after a copy that failed"
    )


class Copying:
    """Copies sets. clock: Unix seconds."""

    def __init__(self, owner: Owner, clock: Callable[[], float] = time.time) -> None:
        self._state = Path(owner.state) if owner.state else None
        self._clock = clock

    def plan(self, series: Series, name: str) -> list[Action]:
        """One action for each destination of a series, about the set of a name."""
        return [
            Action(
                kind=COPY_SET,
                object=each.name,
                reason=f"the set goes to {self._repository(each)}, and is looked for there",
                params={"set": name, "destination": each.name},
                identity=f"{COPY_SET}:{each.name}",
            )
            for each in series.copy_to
        ]

    def plan_newest(self, series: Series) -> Plan:
        """Copies of the newest complete set. Blocks. Raises TaskError where there is none, or nowhere to copy it."""
        if not series.copy_to:
            raise TaskError(f"the backup {series.name} is copied nowhere: say where in copy_to")
        try:
            newest = compared(BackupDirectory(series, self._clock).read())
        except OSError as error:
            raise TaskError(f"cannot read {series.path}: {error.strerror or error}") from error
        if not newest:
            raise TaskError(f"{series.name} has no complete set that could be copied")
        return Plan(actions=self.plan(series, newest[0].name))

    def copy(self, series: Series, action: Action, stop: Event) -> Effect:
        """Copies the set of an action, and notes what became of it. Blocks. Raises TaskError, Stopped."""
        name = str(action.params["destination"])
        to = next((each for each in series.copy_to if each.name == name), None)
        if to is None:
            raise TaskError(f"{name} is no longer in copy_to of the backup {series.name}")
        directory = Path(cast(str, series.path)) / str(action.params["set"])
        if not directory.is_dir():
            return Effect(state="skipped", detail="not copied: no set was made")
        try:
            manifest, digest = manifests.read(directory)
            detail = Destination(self._repository(to)).copy(Original(directory, manifest, digest), tell, stop)
        except (TaskError, ManifestBroken, OSError) as error:
            self._note(series, name, Copy(directory.name, False, self._clock(), str(error)))
            told = f"the set {directory.name} is made, and not copied to {name}: {error}"
            raise TaskError(f"{told}; then: upkeeper run backup {series.name} --param only_copy=true") from error
        self._note(series, name, Copy(directory.name, True, self._clock(), detail, manifest.started))
        return Effect(state="done", detail=detail)

    def _repository(self, to: CopyTo) -> Repository:
        return Repository(to.restic, None if self._state is None else self._state / "cache" / "restic-copies")

    def _note(self, series: Series, destination: str, copy: Copy) -> None:
        if self._state is None:
            return
        try:
            noted.note(self._state, series.name, destination, copy)
        except OSError as error:
            path = noted.path_of(self._state, series.name)
            raise TaskError(f"cannot write {path}: {error.strerror or error}") from error
