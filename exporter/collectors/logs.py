"""Log directories against their limits."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.families import Families
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.inventory import DRILL_DIRECTORY
from exporter.inventory.logs import LogDirectory
from exporter.logdirs.meter import LogMeter
from exporter.logdirs.usage import LogUsage

log = structlog.get_logger(__name__)

_AT_ONCE = 2
"""Walks at the same time. More only take turns at the interpreter's lock; two, so that a slow disk delays one."""


@dataclass(frozen=True, slots=True)
class _Seen:
    usage: LogUsage
    at: float


class LogsCollector:
    """Measures each log directory in a thread, each with its own error boundary; call ``close`` in the end.

    A directory that cannot be measured has ``upkeeper_log_directory_up`` 0 and keeps its last figures for
    ``stale_after`` seconds, so that one slow walk on a busy disk does not end an alert.

    monotonic: seconds on a clock that never jumps.
    """

    name = "logs"

    def __init__(
        self,
        directories: Sequence[LogDirectory],
        settings: CollectorSettings,
        stale_after: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._directories = directories
        self._stale_after = stale_after
        self._threads = KeyedThreads()
        self._monotonic = monotonic
        self._meters = {directory.name: LogMeter(directory, monotonic=monotonic) for directory in directories}
        self._seen: dict[str, _Seen] = {}
        self._complaints = Complaints(log, "log directory not measured", "log directory measured again", "directory")

    def continue_from(self, former: "LogsCollector") -> None:
        """Takes over walks that hang, so that none hangs twice, and what is known of directories that are the same."""
        self._threads = former._threads
        same = {each.name for each in self._directories if each in former._directories}
        self._seen = {name: seen for name, seen in former._seen.items() if name in same}
        self._meters |= {name: former._meters.pop(name) for name in same}
        self._complaints.continue_from(former._complaints, same)

    async def close(self) -> None:
        """Ends the watches of directories."""
        for meter in self._meters.values():
            meter.close()

    async def collect(self) -> Sequence[Metric]:
        slots = asyncio.Semaphore(_AT_ONCE)
        end = asyncio.get_running_loop().time() + self.deadline * 0.9
        failures = await asyncio.gather(*(self._refresh(directory, slots, end) for directory in self._directories))
        up: dict[str, bool] = {}
        for directory, failure in zip(self._directories, failures, strict=True):
            if failure is None:
                self._seen.pop(directory.name, None)
                continue
            up[directory.name] = not failure
            self._complain(directory.name, failure)
        return _families([each for each in self._directories if each.name in up], up, self._fresh())

    async def _refresh(self, directory: LogDirectory, slots: asyncio.Semaphore, end: float) -> str | None:
        """Measures one directory. Returns why that failed, empty if it did not; None if there is nothing to measure."""
        stop = threading.Event()
        meter = self._meters[directory.name]
        try:
            async with asyncio.timeout_at(end), slots:
                usage = await self._threads.run((directory.name, directory.path), lambda: meter.measure(stop))
        except FileNotFoundError as error:
            return None if directory.name == DRILL_DIRECTORY else str(error)
        except TimeoutError:
            return "too slow"
        except (OSError, StillStuck) as error:
            return str(error)
        finally:
            stop.set()
        self._seen[directory.name] = _Seen(usage, self._monotonic())
        return ""

    def _fresh(self) -> dict[str, LogUsage]:
        now = self._monotonic()
        return {name: seen.usage for name, seen in self._seen.items() if now - seen.at <= self._stale_after}

    def _complain(self, name: str, failure: str) -> None:
        seen = self._seen.get(name)
        if not failure and seen is not None and seen.usage.unreadable:
            failure = f"{seen.usage.unreadable} subdirectories cannot be read and are not counted"
        self._complaints.note(name, failure)


def _families(
    directories: Sequence[LogDirectory], up: dict[str, bool], usages: dict[str, LogUsage]
) -> Sequence[Metric]:
    made = Families("upkeeper_log", "directory")
    answered = made.gauge("directory_up", "Whether the log directory could be measured.")
    limit = made.gauge("max_bytes", "Disk space that the log directory may take up.")
    apparent = made.gauge("apparent_bytes", "Sum of the sizes of the files in the log directory.")
    allocated = made.gauge("allocated_bytes", "Disk space that the files in the log directory take up.")
    files = made.gauge("files", "Files in the log directory.")
    oldest = made.gauge(
        "oldest_unrotated_timestamp_seconds",
        "Oldest last write to an unrotated, non-empty log.",
    )
    for directory in directories:
        labels = [directory.name]
        answered.add(labels, up[directory.name])
        limit.add(labels, int(directory.max_bytes))
        usage = usages.get(directory.name)
        if usage is None:
            continue
        apparent.add(labels, usage.apparent_bytes)
        allocated.add(labels, usage.allocated_bytes)
        files.add(labels, usage.files)
        oldest.add(labels, usage.oldest_unrotated)
    return made.all
