"""What the backups collector reads: one backup each, with what was found last and how that fares."""

import asyncio
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import cast

import structlog

from exporter.backups.directory import BackupDirectory
from exporter.backups.restic import Restic, ResticFailed, Snapshot
from exporter.backups.retention import Why, retention
from exporter.backups.sets import SKEW_SECONDS, BackupSet, Figures, compared, figures
from exporter.base.complaints import Complaints
from exporter.base.text import printable
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.backups import Backup, BackupsSettings, ResticRepository

log = structlog.get_logger(__name__)

_GRACE_SECONDS = 1.0
"""How long a collection waits for a repository whose reading has just begun; the next one has what comes later."""

Clock = Callable[[], float]


class Target(ABC):
    """One backup.

    keep: seconds that figures stay when no newer ones come. monotonic: seconds on a clock that never jumps.
    """

    def __init__(self, backup: Backup, keep: float, monotonic: Clock) -> None:
        self.backup = backup
        self.up: bool | None = None
        """None before the first reading has ended, well or not."""
        self._keep = keep
        self._monotonic = monotonic
        self._figures: Figures | None = None
        self._refusals: Collection[Why] | None = None
        self._names: Sequence[str] = ()
        self._room: int | None = None
        self._read_at = 0.0
        self._complaints = Complaints(log, "backup not read", "backup read again", "backup")
        self._uncounted: dict[str, int] = {}

    @abstractmethod
    async def refresh(self, end: float) -> None:
        """Reads it if that is due; is back by ``end`` on the event loop's clock. Raises nothing."""

    @property
    def reading(self) -> bool:
        """Whether it is being read in the background."""
        return False

    @abstractmethod
    def same_as(self, other: "Target") -> bool:
        """Whether the other one would be made from the same config."""

    def close(self) -> None:  # noqa: B027 - most have nothing in the background
        """Ends what runs in the background."""

    def figures(self) -> Figures | None:
        """The last figures, unless they are too old to be served."""
        return self._figures if self._monotonic() - self._read_at <= self._keep else None

    def refusals(self) -> Collection[Why] | None:
        """Why nothing of it may be deleted; None where that is not known, or nothing ever is."""
        return self._refusals if self.figures() is not None else None

    def room(self) -> int | None:
        """Bytes that are free where the sets are; None where that is not known."""
        return self._room if self.figures() is not None else None

    def names(self) -> Sequence[str]:
        """Of the sets that it was last seen to have."""
        return self._names

    def _succeed(self, sets: Sequence[BackupSet]) -> None:
        self._complaints.note(self.backup.name, "")
        self.up = True
        self._figures, self._read_at = figures(sets), self._monotonic()
        self._mention_uncounted(sets)

    def _fail(self, reason: str) -> None:
        self._complaints.note(self.backup.name, reason)
        self.up = False

    def _mention_uncounted(self, sets: Sequence[BackupSet]) -> None:
        """One line when the number of sets that do not count for a reason has changed, with one of them by name."""
        assert self._figures is not None
        for reason, count in self._figures.uncounted.items():
            if count == self._uncounted.get(reason, 0):
                continue
            self._uncounted[reason] = count
            example = next((each.name for each in sets if each.state == reason), None)
            name = printable(example) if example is not None else None
            tell = log.warning if count else log.info
            tell("backup sets that do not count", backup=self.backup.name, cause=reason, sets=count, example=name)


class DirectoryTarget(Target):
    """Sets in a directory, read in a thread."""

    def __init__(self, backup: Backup, keep: float, wall: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        super().__init__(backup, keep, monotonic)
        self._directory = BackupDirectory(backup, wall, monotonic)
        self._wall = wall
        self._threads = KeyedThreads()

    def same_as(self, other: Target) -> bool:
        return isinstance(other, DirectoryTarget) and (self.backup, self._keep) == (other.backup, other._keep)

    def _free(self) -> int:
        """Bytes that are free where the sets are. Blocks. Raises OSError."""
        at = os.statvfs(cast(str, self.backup.path))
        return at.f_bavail * at.f_frsize

    async def refresh(self, end: float) -> None:
        stop = threading.Event()
        try:
            async with asyncio.timeout_at(end):
                sets, room = await self._threads.run(
                    self.backup.name, lambda: (self._directory.read(stop), self._free())
                )
                self._succeed(sets)
                self._room = room
                if self.backup.keep is not None:
                    found = retention(sets, self.backup, self._wall())
                    self._refusals = {refusal.why for refusal in found.refusals} if found.spare else set()
                    self._names = [each.name for each in sets]
        except TimeoutError:
            self._fail("not read within the deadline")
        except StillStuck:
            return  # the call that is stuck has been reported, or was only just given up
        except OSError as error:
            self._fail(str(error))
        except Exception:
            log.exception("reading a backup broke", backup=self.backup.name)
            self._fail("unexpected error, see the log")
        finally:
            stop.set()


class ResticTarget(Target):
    """Snapshots in a repository, read in the background."""

    def __init__(
        self,
        backup: Backup,
        repository: ResticRepository,
        settings: BackupsSettings,
        keep: float,
        cache: Path | None,
        wall: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        super().__init__(backup, keep, monotonic)
        self._restic = Restic(repository, cache)
        self._settings = settings
        self._wall = wall
        self._task: asyncio.Task[None] | None = None
        self._due = float("-inf")
        self._sizes: dict[str, int] = {}
        self._sizes_unknown = Complaints(log, "sizes of snapshots not known yet", "sizes of snapshots known", "backup")

    @property
    def reading(self) -> bool:
        return self._task is not None and not self._task.done()

    def same_as(self, other: Target) -> bool:
        return isinstance(other, ResticTarget) and (self.backup, self._settings) == (other.backup, other._settings)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def refresh(self, end: float) -> None:
        if self.reading or self._monotonic() < self._due:
            return
        self._due = self._monotonic() + self._settings.restic_interval
        self._task = asyncio.create_task(self._read(), name=f"restic {self.backup.name}")
        patience = min(_GRACE_SECONDS, end - asyncio.get_running_loop().time())
        await asyncio.wait([self._task], timeout=max(0.0, patience))

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(self._settings.restic_deadline):
                snapshots = await self._restic.snapshots()
        except TimeoutError:
            self._fail(f"restic: no answer within {self._settings.restic_deadline:g} s")
        except StillStuck:
            self._fail("restic: an earlier one hangs and cannot be ended")
        except ResticFailed as error:
            self._fail(str(error))
        except Exception:
            log.exception("reading a repository broke", backup=self.backup.name)
            self._fail("unexpected error, see the log")
        else:
            await self._measure(snapshots)

    async def _measure(self, snapshots: Sequence[Snapshot]) -> None:
        """Publishes the snapshots at once, and again with each size that has to be asked for: the newest first."""
        known = {each.id for each in snapshots}
        self._sizes = {name: size for name, size in self._sizes.items() if name in known}
        self._sizes |= {each.id: each.bytes for each in snapshots if each.bytes is not None}
        sets = self._sets(snapshots)
        self._succeed(sets)
        missing = ""
        try:
            async with asyncio.timeout(self._settings.restic_deadline):
                for each in compared(sets):
                    if each.bytes is None:
                        self._sizes[each.name] = await self._restic.size(each.name)
                        self._succeed(self._sets(snapshots))
        except TimeoutError:
            missing = f"restic: no answer within {self._settings.restic_deadline:g} s"
        except (StillStuck, ResticFailed) as error:  # a snapshot may have been removed meanwhile
            missing = str(error)
        self._sizes_unknown.note(self.backup.name, missing)

    def _sets(self, snapshots: Sequence[Snapshot]) -> list[BackupSet]:
        latest = self._wall() + SKEW_SECONDS
        return [
            BackupSet(each.id, "complete" if each.time <= latest else "future", each.time, self._sizes.get(each.id))
            for each in snapshots
        ]
