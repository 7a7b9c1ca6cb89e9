"""docker-volume-cleanup: one action for each volume that nothing uses and that a proven set of a backup holds."""

import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.backups import manifest as manifests
from exporter.backups.manifest import ManifestBroken
from exporter.backups.retention import is_proven
from exporter.base.errors import UpkeeperError
from exporter.base.text import counted, format_time, printable
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Backup as Series
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.backup.sources.files import disk_size
from remediator.tasks.backup.sources.volume import mount_point
from remediator.tasks.docker_volumes.facts import DOCKER_VOLUME_CLEANUP, TARGET
from remediator.tasks.resources import Resources
from remediator.tasks.restoring.sets import every
from remediator.tasks.worker import in_thread

if TYPE_CHECKING:
    from docker import APIClient

REMOVE = "remove-volume"
_NAMES = 5


class Held(NamedTuple):
    """The newest proven set that holds a volume."""

    series: str
    set: str
    started: float
    """Unix seconds: nothing in it is older."""


class DockerVolumeCleanup:
    """host: the name of this machine, whose sets count. clock: Unix seconds."""

    facts = DOCKER_VOLUME_CLEANUP
    parameters = Parameters
    action_timeout = 900.0

    def __init__(
        self,
        engine: DockerEngine,
        backups: Sequence[Series],
        keep_label: str,
        host: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._keep_label, self._host, self._clock = engine, keep_label, host, clock
        self._series = [each for each in backups if each.make is not None and each.path is not None]

    async def targets(self) -> Sequence[str]:
        return [TARGET]

    async def measure(self, target: str) -> Measurement:
        """Values: ``volumes_unused``. Never breached: whether a volume is wanted only a person knows."""
        unused = await self._engine.call(_unused)
        return Measurement(
            breached=False, values={"volumes_unused": len(unused)}, detail=counted(len(unused), "unused volume")
        )

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        unused = await self._engine.call(_unused)
        held = await in_thread(lambda _: self._held())
        actions: list[Action] = []
        notes: list[str] = []
        for volume in unused:
            name = str(volume["Name"])
            problem, one, size = await self._look(volume, held)
            if one is None or problem:
                notes.append(f"The volume {printable(name)} stays: {problem}.")
                continue
            project = (volume.get("Labels") or {}).get("com.docker.compose.project")
            of = f"of the project {printable(project)}; " if project else ""
            actions.append(
                Action(
                    kind=REMOVE,
                    object=name,
                    reason=f"no container has it; {of}the proven set {one.set} of {one.series}, made "
                    f"{format_time(one.started)}, holds it",
                    estimated_bytes=size,
                    params={"created": str(volume.get("CreatedAt")), "set": one.set, "series": one.series},
                )
            )
        if len(notes) > _NAMES:
            notes = [*notes[:_NAMES], f"{len(notes) - _NAMES} more volumes stay for such reasons."]
        return Plan(actions=actions, notes=notes)

    async def apply(self, target: str, action: Action) -> Effect:
        """Looks at all of it again before it removes."""
        if action.kind != REMOVE:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        unused = await self._engine.call(_unused)
        volume = next((each for each in unused if each["Name"] == action.object), None)
        if volume is None:
            return Effect(state="skipped", detail="it is gone, or in use")
        if str(volume.get("CreatedAt")) != action.params["created"]:
            return Effect(state="skipped", detail="it is another volume of that name")
        problem, one, size = await self._look(volume, await in_thread(lambda _: self._held()))
        if one is None or problem:
            return Effect(state="skipped", detail=problem)
        done = await self._engine.call(partial(_remove, name=action.object))
        if done:
            return Effect(state="skipped", detail=done)
        back = f"to have it back: upkeeper restore {one.set} --name {one.series} --only volume:{action.object}"
        return Effect(state="done", detail=back, freed_bytes=size)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return after.values["volumes_unused"] < before.values["volumes_unused"]

    async def _look(self, volume: Mapping[str, Any], held: Mapping[str, Held]) -> tuple[str, Held | None, int]:
        """Why it stays, empty if it need not; the set that holds it; its bytes."""
        name = str(volume["Name"])
        if self._keep_label in (volume.get("Labels") or {}):
            return f"it has the label {self._keep_label}", None, 0
        one = held.get(name)
        if one is None:
            return "no proven set of a backup holds it", None, 0
        try:
            root = await mount_point(self._engine, name)
            changed, size = await in_thread(partial(_state, root))
        except OSError as error:
            if isinstance(error, UpkeeperError):
                raise
            return f"it cannot be looked into: {error.strerror}", None, 0
        except TaskError as error:
            return str(error), None, 0
        if changed >= one.started:
            return f"it was changed since {one.set} was made, the newest proven set that holds it", None, size
        return "", one, size

    def _held(self) -> dict[str, Held]:
        """The set that holds each volume: of each series only the newest proven one counts. Blocks."""
        found: dict[str, Held] = {}
        for series in self._series:
            complete = [
                each for each in every(series, self._clock) if each.state == "complete" and each.date is not None
            ]
            proven = [each for each in complete if is_proven(each, series)]
            if not proven:
                continue
            newest = max(proven, key=lambda each: each.date or 0.0)
            assert series.path is not None
            try:
                manifest, _ = manifests.read(Path(series.path) / newest.name)
            except ManifestBroken:
                continue
            if manifest.host != self._host:
                continue
            for member in manifest.members:
                if member.kind == "volumes":
                    found[member.name] = Held(series.name, newest.name, manifest.started)
        return found


def _unused(client: "APIClient") -> list[dict[str, Any]]:
    """Volumes that no container has, running or not, by their names."""
    found: list[dict[str, Any]] = client.volumes(filters={"dangling": True})["Volumes"] or []
    return sorted(found, key=lambda volume: str(volume["Name"]))


def _remove(client: "APIClient", name: str) -> str:
    """Why the engine would not remove it; empty once it is gone."""
    from docker.errors import APIError, NotFound

    try:
        client.remove_volume(name, force=False)
    except NotFound:
        return "already gone"
    except APIError as error:
        if error.status_code == 409:
            return f"in use: {error.explanation}"
        raise
    return ""


def _state(root: str, stop: threading.Event) -> tuple[float, int]:
    """When anything in a directory was last changed (Unix seconds), and its bytes on disk. Raises OSError."""

    def fail(error: OSError) -> None:
        raise error

    newest = os.lstat(root).st_ctime
    for directory, folders, files in os.walk(root, onerror=fail):
        if stop.is_set():
            raise TaskError("stopped before it was done")
        for name in (*folders, *files):
            newest = max(newest, Path(directory, name).lstat().st_ctime)
    return newest, disk_size(root, stop.is_set)


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    keep = config.docker.cleanup.keep_label
    return [DockerVolumeCleanup(resources.docker, config.backups, keep, platform.node())]
