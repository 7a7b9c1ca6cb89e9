"""The data of a service: a proven set of it, made where there is none, and put back where the image goes back.

All by what the tasks backup, backup-verification and restore-in-place do, plan and all.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.backups.directory import BackupDirectory
from exporter.backups.proofs import PROOFS_THERE_ARE, Proof
from exporter.backups.sets import BackupSet
from exporter.base.errors import UpkeeperError
from exporter.inventory.backups import Backup as Series
from remediator.model.task import Params, Task, TaskError
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from remediator.tasks.image_update.references import Reference, parse
from remediator.tasks.image_update.services import Mount
from remediator.tasks.worker import in_thread

_MOST_ENTRIES = 2_000_000


@dataclass(frozen=True)
class Tasks:
    """Of backups, for the config in force."""

    backup: Task
    verification: Task
    restore: Task
    drill: DisasterRecoveryTest


@dataclass(frozen=True)
class Proven:
    """A set of which something was shown. date: Unix seconds."""

    name: str
    date: float


class Data:
    """The series of backups that services rely on. clock: Unix seconds."""

    def __init__(self, series: Sequence[Series], tasks: Tasks, clock: Callable[[], float] = time.time) -> None:
        self._series = {each.name: each for each in series}
        self._tasks = tasks
        self._clock = clock

    async def newest(self, name: str, proof: Proof) -> Proven | None:
        """The newest complete set of which this was shown. Raises TaskError."""
        series = self._one(name)
        if series.path is None:
            raise TaskError(f"the backup {name} is a restic repository: whether a snapshot is proven is not known here")
        try:
            sets = await in_thread(BackupDirectory(series, self._clock).read)
        except OSError as error:
            raise TaskError(f"cannot read {series.path}: {error.strerror or error}") from error
        return newest(sets, proof)

    def can_make(self, name: str) -> bool:
        """Whether we make its sets."""
        return self._one(name).make is not None

    async def make(self, name: str, proof: Proof) -> Proven:
        """Makes a set and proves it. Raises UpkeeperError, and then nothing of it is left that counts."""
        before = await self.newest(name, "checksums")
        await _run(self._tasks.backup, name, {})
        level = proof if proof in ("checksums", "readable", "restored") else "readable"
        await _run(self._tasks.verification, name, {"level": level})
        made = await self.newest(name, level)
        if made is None or (before is not None and made.name == before.name):
            raise TaskError(f"a set of {name} was made, and its proof ({level}) is not there")
        return made

    async def restore(self, name: str, set_name: str) -> None:
        """Puts a set in place of what is there, of which a copy is kept. Raises UpkeeperError."""
        await _run(self._tasks.restore, name, {"set": set_name})

    def can_rehearse(self, name: str) -> bool:
        """Whether it has a drill."""
        return self._one(name).drill is not None

    async def rehearse(self, name: str, image: Reference, new_id: str) -> str:
        """Starts a new image on the newest set, as the drill of the backup does with others; what was shown, in words.

        image: without regard to tag and digest, which the drill need not name alike. Raises UpkeeperError.
        """

        def replaced(each: str) -> str:
            known = parse(each)
            return new_id if known is not None and known.name == image.name else each

        return await self._tasks.drill.rehearse(name, replaced)

    def only_files(self, name: str) -> bool:
        """Whether all of it lies in files of this machine, whose times tell who wrote."""
        make = self._one(name).make
        return make is not None and not make.postgres and not make.neo4j

    def _one(self, name: str) -> Series:
        try:
            return self._series[name]
        except KeyError:
            raise TaskError(f"there is no backup {name!r}") from None


def newest(sets: Sequence[BackupSet], proof: Proof) -> Proven | None:
    """Of complete sets the newest of which this proof, or a deeper one, was shown. Pure."""
    enough = PROOFS_THERE_ARE[PROOFS_THERE_ARE.index(proof) :]
    found = [
        Proven(each.name, each.date)
        for each in sets
        if each.state == "complete" and each.date is not None
        and any(one in each.proofs and each.proofs[one].success for one in enough)
    ]  # fmt: skip
    return max(found, key=lambda one: one.date, default=None)


async def _run(task: Task, target: str, params: Params) -> None:
    """Plans and does all of it, as a run would, in one go."""
    plan = await task.plan(target, params)
    failed: UpkeeperError | None = None
    for action in plan.actions:
        try:
            await task.apply(target, action)
        except UpkeeperError as error:
            failed = failed or error  # those after it clean up, and leave alone what waits for it
    if failed is not None:
        raise TaskError(f"{task.facts.name} {target}: {failed}") from failed


def written_since(mounts: Sequence[Mount], since: float) -> bool | None:
    """Whether something in these places changed after a moment (Unix seconds); None where nobody can tell. Blocks."""
    seen = 0
    for mount in mounts:
        top = Path(mount.source)
        try:
            if top.lstat().st_ctime > since:
                return True
            if not top.is_dir():
                continue
            failed: list[OSError] = []
            for directory, names, files in os.walk(top, onerror=failed.append):
                for name in (*names, *files):
                    seen += 1
                    if Path(directory, name).lstat().st_ctime > since:
                        return True
                if seen > _MOST_ENTRIES:
                    return None
            if failed:
                return None
        except OSError:
            return None
    return False
