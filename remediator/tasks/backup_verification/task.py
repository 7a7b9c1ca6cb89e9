"""backup-verification: one action for each set and proof. What it shows is kept in the set."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from pydantic import Field

from exporter.backups import proofs, results
from exporter.backups.directory import BackupDirectory
from exporter.backups.manifest import Manifest, ManifestBroken
from exporter.backups.manifest import digest as manifest_digest
from exporter.backups.manifest import read as read_manifest
from exporter.backups.proofs import Proof, Shown
from exporter.backups.sets import BackupSet, figures
from exporter.base.text import counted
from exporter.base.units import format_bytes, format_duration
from exporter.inventory.backups import Backup as Series
from exporter.inventory.neo4j import Neo4jServer
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.backup.snapshots.sets import sets_in
from remediator.tasks.backup.snapshots.tags import bytes_of
from remediator.tasks.backup_verification.checksums import differences, summary
from remediator.tasks.backup_verification.copied import LOOK, copies_noted, look_action, look_again
from remediator.tasks.backup_verification.facts import BACKUP_VERIFICATION, DAY
from remediator.tasks.backup_verification.in_repository import (
    as_directory,
    repository_of,
    snapshot_of,
    stream_differences,
)
from remediator.tasks.backup_verification.readable import problems
from remediator.tasks.backup_verification.restored import problems as not_restored
from remediator.tasks.backup_verification.spot import spot_check
from remediator.tasks.resources import Resources
from remediator.tasks.restoring.checked import Damaged
from remediator.tasks.worker import in_thread

VERIFY = "verify"
Level = Literal["checksums", "readable", "restored", "spot"]
LEVELS: tuple[Proof, ...] = ("checksums", "readable", "restored")
"""Each is shown after those before it."""
SPOT: Level = "spot"
"""By itself: it is no proof of a set, and is cheap."""


class Verification(Parameters):
    """Which sets, and how deep."""

    set: str | None = Field(default=None, description="name of a set; else the newest")
    all: bool = Field(default=False, description="every set")
    level: Level = Field(
        default="readable",
        description="the deepest: checksums, readable or restored; those before it are shown too. Or spot: a sample of "
        "its files against their source, for a minute at most",
    )


class BackupVerification:
    """Verifies sets. state_dir: where the last result of each series is kept too. clock: Unix seconds."""

    facts = BACKUP_VERIFICATION
    parameters = Verification
    action_timeout = DAY

    def __init__(
        self,
        backups: Sequence[Series],
        state_dir: Path | None,
        clock: Callable[[], float] = time.time,
        neo4j: Sequence[Neo4jServer] = (),
    ) -> None:
        self._neo4j = {each.name: each for each in neo4j}
        asked = [each for each in backups if each.path and (each.make or each.max_verify_age)]
        asked += [each for each in backups if each.restic and each.make]
        self._series = {each.name: each for each in asked}
        self._state_dir = state_dir
        self._clock = clock

    async def targets(self) -> Sequence[str]:
        return list(self._series)

    async def measure(self, target: str) -> Measurement:
        """Breached: the last look at a set has shown that it is damaged."""
        sets = await self._sets(self._one(target))
        found = figures(sets)
        failed = max((found.failed.get(level, 0) for level in LEVELS), default=0)
        looked = max((shown.finished for each in sets for shown in each.proofs.values()), default=0.0)
        if self._one(target).restic is not None:
            looked = await in_thread(lambda _: self._looked(target))
        proven = found.proven.get("readable")
        age = "" if proven is None else f", the newest {format_duration(max(0.0, round(self._clock() - proven)))} old"
        readable = sum(
            each.state == "complete" and "readable" in each.proofs and each.proofs["readable"].success for each in sets
        )
        detail = f"{readable} of {counted(found.sets, 'set')} read to the end{age}"
        if failed:
            detail += f"; {failed} damaged"
        series = self._one(target)
        if series.make is not None and series.make.encrypt is not None and _identity(series) is None:
            detail += "; only checksums of encrypted sets can be proven, as make.encrypt names no age_identity_file"
        values = {"sets": float(found.sets), "failed": float(failed), "looked_timestamp_seconds": looked}
        return Measurement(breached=failed > 0, values=values, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """One action for each set and proof. Raises TaskError where a set is not there."""
        series = self._one(target)
        wanted = Verification.model_validate(dict(params))
        sets = [each for each in await self._sets(series) if each.state == "complete"]
        sets.sort(key=lambda each: (each.date or 0.0, each.name), reverse=True)
        if wanted.set is not None:
            chosen = [each for each in sets if each.name == wanted.set]
            if not chosen:
                raise TaskError(f"{target} has no complete set {wanted.set!r}; see: upkeeper sets {target}")
        else:
            chosen = sets if wanted.all else sets[:1]
        levels: Sequence[Level] = [wanted.level]
        if wanted.level != SPOT:
            levels = cast(Sequence[Level], LEVELS[: LEVELS.index(wanted.level) + 1])
        encrypted = [] if wanted.level == "checksums" else await in_thread(lambda _: _encrypted(series, chosen))
        locked = [each for each in levels if each != "checksums"] if _identity(series) is None else []
        actions = [
            _action(each, level, newest=each is sets[0])
            for each in chosen
            for level in levels
            if each.name not in encrypted or level not in locked
        ]
        if wanted.set is None and wanted.level != SPOT:
            noted = await in_thread(lambda _: copies_noted(series, self._state_dir))
            actions += [look_action(series, destination, copy.set) for destination, copy in noted.items()]
        notes = [] if sets else [f"{target} has no complete set."]
        if encrypted and _identity(series) is None:
            notes.append(
                f"{', '.join(encrypted)}: encrypted, and make.encrypt names no age_identity_file: "
                "that the files are as they were written can be proven, not that they can be read."
            )
        elif encrypted and "restored" in levels:
            notes.append(f"{', '.join(encrypted)}: encrypted, and plain in scratch until the proof has ended.")
        return Plan(actions=actions, notes=notes)

    async def apply(self, target: str, action: Action) -> Effect:
        series = self._one(target)
        if action.kind == LOOK:
            return await in_thread(lambda stop: look_again(series, action, self._state_dir, self._clock, stop))
        level = cast(Level, action.params["level"])
        name = str(action.params["set"])
        directory = Path(series.path or "") / name
        try:
            look = self._look if series.restic is None else self._look_there
            shown = await in_thread(lambda stop: look(directory, series, level, stop))
            newest = bool(action.params["newest"])
            if shown is None:
                return Effect(state="skipped", detail="nothing could be compared: all of the sample has changed since")
            await in_thread(lambda _: self._record(series, directory, level, shown, newest=newest))
        except OSError as error:
            raise TaskError(f"cannot verify {directory}: {error.strerror or error}") from error
        if not shown.success:
            raise TaskError(f"{name} is damaged: {shown.detail}")
        return Effect(state="done", detail=shown.detail)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """A set was looked at."""
        key = "looked_timestamp_seconds"
        return after.values[key] > before.values[key]

    def _look(self, directory: Path, series: Series, level: Level, stop: threading.Event) -> Shown | None:
        """None where nothing came of it."""
        try:
            manifest, _ = read_manifest(directory)
        except ManifestBroken as error:
            return Shown(False, self._clock(), str(error))
        if manifest.backup != series.name:
            return Shown(False, self._clock(), f"its manifest is that of another backup, {manifest.backup}")
        if level == SPOT:
            return self._spot(directory, series, manifest, stop)
        if level == "checksums":
            wrong, found = differences(directory, manifest, stop), _read(manifest)
        elif not manifest.members:
            raise TaskError(f"{directory.name} has no list of members to read; its checksums can be verified")
        else:
            where = None if series.scratch is None else Path(series.scratch)
            found_wrong = problems(directory, manifest, stop, _identity(series)) if level == "readable" else None
            wrong, parts = found_wrong or not_restored(
                directory, manifest, where, stop, _identity(series), self._graphs(series)
            )
            found = ", ".join(parts)
        return Shown(not wrong, self._clock(), summary(wrong) or found)

    def _look_there(self, directory: Path, series: Series, level: Level, stop: threading.Event) -> Shown | None:
        """The same of a set in a repository: checksums in a stream, and for what is beyond that it is fetched."""
        repository = repository_of(series, self._state_dir)
        snapshot = snapshot_of(repository, series.name, directory.name, stop)
        if level == "checksums":
            manifest, wrong = stream_differences(repository, snapshot, stop)
            return Shown(not wrong, self._clock(), summary(wrong) or _read(manifest))
        where = None if series.scratch is None else Path(series.scratch)
        with as_directory(repository, snapshot, where, bytes_of(snapshot.tags) or 0, stop) as fetched:
            return self._look(fetched, series, level, stop)

    def _looked(self, backup: str) -> float:
        """When a set of a repository was last looked at."""
        if self._state_dir is None:
            return 0.0
        found = results.read(self._state_dir, backup).verifications
        return max((each.finished for each in found.values()), default=0.0)

    def _spot(self, directory: Path, series: Series, manifest: Manifest, stop: threading.Event) -> Shown | None:
        try:
            found = spot_check(directory, manifest, _identity(series), stop, random.random)
        except Damaged as error:
            return Shown(False, self._clock(), str(error))
        if not found.wrong and not found.same:
            return None
        return Shown(not found.wrong, self._clock(), found.wrong or str(found))

    def _graphs(self, series: Series) -> Mapping[str, Neo4jServer]:
        """Where databases of Neo4j are restored into, by the server in the set."""
        sources = series.make.neo4j if series.make is not None else []
        return {each.server: self._neo4j[each.scratch] for each in sources if each.scratch in self._neo4j}

    def _record(self, series: Series, directory: Path, level: Level, shown: Shown, *, newest: bool) -> None:
        """In the set, a spot check not; and, where it is the newest or damaged, as the last result of the series."""
        if level != SPOT and series.restic is None:
            proofs.record(directory, manifest_digest(directory), cast(Proof, level), shown)
        if self._state_dir is None or not (newest or not shown.success):
            return
        before = results.read(self._state_dir, series.name)
        result = results.Result(directory.name, shown.success, shown.finished, shown.detail)
        after = {**before.verifications, level: result}
        results.write(self._state_dir, series.name, results.Results(after, before.restore_test))

    def _one(self, target: str) -> Series:
        try:
            return self._series[target]
        except KeyError:
            raise TaskError(f"no backup of the name {target!r} has make: or max_verify_age") from None

    async def _sets(self, series: Series) -> list[BackupSet]:
        if series.restic is not None:
            repository = repository_of(series, self._state_dir)
            return await in_thread(lambda stop: sets_in(repository, series.name, stop))
        try:
            return await in_thread(BackupDirectory(series, self._clock).read)
        except OSError as error:
            raise TaskError(f"cannot read {series.path}: {error.strerror or error}") from error


def _identity(series: Series) -> str | None:
    encrypt = series.make.encrypt if series.make is not None else None
    return None if encrypt is None else encrypt.age_identity_file


def _encrypted(series: Series, sets: Sequence[BackupSet]) -> list[str]:
    """The names of those that are encrypted. Blocks."""
    found: list[str] = []
    for each in sets if series.restic is None else ():  # a repository is encrypted itself
        try:
            if read_manifest(Path(cast(str, series.path)) / each.name)[0].encrypted:
                found.append(each.name)
        except ManifestBroken:
            continue  # which the proof will say
    return found


def _read(manifest: Manifest) -> str:
    return f"{counted(len(manifest.files), 'file')}, {format_bytes(manifest.bytes)}"


def _action(each: BackupSet, level: Level, *, newest: bool) -> Action:
    params = {"set": each.name, "level": level, "newest": newest}
    return Action(kind=VERIFY, object=f"{each.name}: {level}", reason=_REASONS[level], params=params)


_REASONS: Mapping[Level, str] = {
    "checksums": "its files against its manifest",
    "readable": "everything in it to the last byte",
    "spot": "a sample of its files against what they are copies of",
    "restored": "all of it restored into scratch, and compared with what was counted",
}


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [BackupVerification(config.backups, resources.state_dir, neo4j=config.neo4j)]
