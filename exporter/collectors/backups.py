"""Backups: sets in directories and snapshots in restic repositories, against the limits of the config."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.backups import copies as copied
from exporter.backups import results as stored
from exporter.backups.families import Standing, families
from exporter.backups.restic import counting
from exporter.backups.retention import Why
from exporter.backups.seen import Moment, Seen, clock_problem, missing_problem, this_moment
from exporter.backups.seen import read as read_seen
from exporter.backups.sets import SKEW_SECONDS
from exporter.backups.targets import DirectoryTarget, ResticTarget, Target
from exporter.base.complaints import Complaints
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.backups import Backup, BackupsSettings

log = structlog.get_logger(__name__)

_RESULTS_SECONDS = 5.0
_SOON_SECONDS = 5.0


class BackupsCollector:
    """Reads each backup in its own error boundary. One that cannot be read has ``upkeeper_backup_up`` 0.

    Directories are read in each collection, restic repositories in the background at their own interval; call ``close``
    in the end. The last figures of what cannot be read stay for ``stale_after`` seconds, and for two intervals.

    state_dir: where the tasks write their results, and restic's cache is; None for neither.
    wall: Unix seconds. monotonic: seconds on a clock that never jumps.
    """

    name = "backups"

    def __init__(
        self,
        backups: Sequence[Backup],
        settings: BackupsSettings,
        stale_after: float,
        state_dir: Path | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = settings.interval
        self.deadline = settings.deadline
        self._state_dir = state_dir
        self._wall = wall
        self._threads = KeyedThreads()
        self._complaints = Complaints(
            log, "results of backup tasks not read", "results of backup tasks read again", "backup"
        )
        self._targets: list[Target] = []
        cache = state_dir / "cache" / "restic" if state_dir is not None else None
        for backup in backups:
            if backup.restic is None:
                keep = stale_after + 2 * settings.interval
                self._targets.append(DirectoryTarget(backup, keep, wall, monotonic))
            else:
                keep = stale_after + 2 * settings.restic_interval
                self._targets.append(ResticTarget(backup, counting(backup), settings, keep, cache, wall, monotonic))

    @property
    def interval(self) -> float:
        """Seconds. Short while a repository is being read, whose figures should not wait for a whole interval more."""
        reading = any(target.reading for target in self._targets)
        return min(self._interval, _SOON_SECONDS) if reading else self._interval

    def continue_from(self, former: "BackupsCollector") -> None:
        """Takes over what the former collector knows of backups whose config is the same, and leaves it the others."""
        for index, target in enumerate(self._targets):
            same = next((each for each in former._targets if each.same_as(target)), None)
            if same is not None:
                self._targets[index] = same
                former._targets = [each for each in former._targets if each is not same]

    async def close(self) -> None:
        """Ends what runs in the background."""
        for target in self._targets:
            target.close()

    async def collect(self) -> Sequence[Metric]:
        end = asyncio.get_running_loop().time() + self.deadline * 0.9
        targets = list(self._targets)
        names = [target.backup.name for target in targets]
        (results, copies, noted), _ = await asyncio.gather(
            self._results(names), asyncio.gather(*(target.refresh(end) for target in targets))
        )
        return families(
            [
                Standing(
                    target.backup,
                    target.up,
                    target.figures(),
                    results.get(target.backup.name),
                    self._refusals(target, noted.get(target.backup.name)),
                    target.room(),
                    copies.get(target.backup.name),
                )
                for target in targets
            ]
        )

    def _refusals(self, target: Target, noted: "_Noted | None") -> Collection[Why] | None:
        """Also what is only seen beside what was noted when a set was last made or deleted."""
        found = target.refusals()
        if found is None or noted is None:
            return found
        before, at = noted
        clock: set[Why] = {"clock"} if clock_problem(before, at) else set()
        missing: set[Why] = {"missing"} if missing_problem(before, target.names()) else set()
        return {*found, *clock, *missing}

    async def _results(
        self, names: Sequence[str]
    ) -> "tuple[dict[str, stored.Results], dict[str, copied.Copies], dict[str, _Noted]]":
        """What the tasks have written, and noted to have seen, by backup; nothing where it cannot be read."""
        directory = self._state_dir
        if directory is None or not names:
            return {}, {}, {}
        try:
            async with asyncio.timeout(min(_RESULTS_SECONDS, self.deadline / 2)):
                read, copies, failures, noted = await self._threads.run(
                    "results", lambda: _all(directory, names, self._wall)
                )
        except (TimeoutError, StillStuck):
            read, copies, noted, failures = {}, {}, {}, dict.fromkeys(names, "the state directory does not answer")
        for name in names:
            self._complaints.note(name, failures.get(name, ""))
        return read, copies, noted


_Noted = tuple[Seen | None, Moment]
"""What was seen before, and the clocks when that was read."""


def _all(
    directory: Path, names: Sequence[str], wall: Callable[[], float]
) -> tuple[dict[str, stored.Results], dict[str, copied.Copies], dict[str, str], dict[str, _Noted]]:
    """Results, copies, failures, and what was seen, by backup."""
    found, failures = _read_all(directory, names, wall())
    copies: dict[str, copied.Copies] = {}
    at = this_moment(wall)
    noted: dict[str, _Noted] = {}
    for name in names:
        try:
            noted[name] = (read_seen(directory, name), at)
            copies[name] = copied.read(directory, name)
        except (OSError, copied.CopiesBroken) as error:
            failures.setdefault(name, str(error))
    return found, copies, failures, noted


def _read_all(directory: Path, names: Sequence[str], now: float) -> tuple[dict[str, stored.Results], dict[str, str]]:
    """Results and failures, by backup. Results of the future are a failure: they would hide that none came since."""
    found: dict[str, stored.Results] = {}
    failures: dict[str, str] = {}
    for name in names:
        try:
            results = stored.read(directory, name)
        except (OSError, stored.ResultsBroken) as error:
            failures[name] = str(error)
            continue
        every = [*results.verifications.values(), *([results.restore_test] if results.restore_test else [])]
        if any(result.finished > now + SKEW_SECONDS for result in every):
            failures[name] = f"{stored.path_of(directory, name)} has results of the future"
        else:
            found[name] = results
    return found, failures
