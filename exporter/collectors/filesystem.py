"""File systems: how large, how full, and whether they answer at all."""

import asyncio
import fnmatch
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.families import Families
from exporter.base.text import printable
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.configfile.section import regex_search
from exporter.host.mounts import MOUNTINFO, Mount, one_each, parse_mountinfo
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.filesystems import Filesystems

log = structlog.get_logger(__name__)

MOUNT_SECONDS = 5.0
"""How long one file system may take to answer."""

_AT_ONCE = 16
"""File systems asked at the same time: a host may have hundreds, and one that hangs must not hold up the others."""

Stat = Callable[[bytes], os.statvfs_result]


@dataclass(frozen=True, slots=True)
class Reading:
    """A mount and what it answered: None when it did not."""

    mount: Mount
    stat: os.statvfs_result | None


def select_mounts(mounts: Sequence[Mount], filesystems: Filesystems) -> list[Mount]:
    """The mounts to measure by the config: one of each file system, and those with a limit of their own."""
    is_excluded_type = re.compile("|".join(map(fnmatch.translate, filesystems.exclude_fstypes)) or r"(?!)").match
    excluded = regex_search(filesystems.exclude_mountpoints) if filesystems.exclude_mountpoints else lambda _: False
    wanted = {os.fsencode(limit.mountpoint) for limit in filesystems.limits}
    considered = [
        mount
        for mount in mounts
        if mount.mountpoint in wanted or not (is_excluded_type(mount.fstype) or excluded(mount.mountpoint))
    ]
    return one_each(considered, wanted)


class FilesystemCollector:
    """Asks every file system for its size, each in a thread of its own.

    One that hangs costs one thread until it answers again; meanwhile its ``upkeeper_filesystem_device_error`` is 1.

    stat: as os.statvfs. mountinfo: where the mounts are listed.
    """

    name = "filesystem"

    def __init__(
        self,
        filesystems: Filesystems,
        settings: CollectorSettings,
        stat: Stat = os.statvfs,
        mountinfo: Path = MOUNTINFO,
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._filesystems = filesystems
        self._limited = {os.fsencode(limit.mountpoint) for limit in filesystems.limits}
        self._patience = min(MOUNT_SECONDS, self.deadline / 2)
        self._stat = stat
        self._mountinfo = mountinfo
        self._threads = KeyedThreads()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._complaints = Complaints(log, "file system does not answer", "file system answers again", "mountpoint")

    def continue_from(self, former: "FilesystemCollector") -> None:
        """Takes over which file systems do not answer: each would cost a thread more, and a line in the log."""
        self._threads, self._complaints = former._threads, former._complaints

    async def collect(self) -> Sequence[Metric]:
        mounts = select_mounts(parse_mountinfo(self._mountinfo.read_bytes()), self._filesystems)
        readings = await asyncio.gather(*(self._read(mount) for mount in mounts))
        return _families([reading for reading in readings if reading is not None], self._filesystems)

    async def _read(self, mount: Mount) -> Reading | None:
        """None for a mount that has no size, was unmounted meanwhile, or may not be looked at."""
        try:
            async with self._slots, asyncio.timeout(self._patience):
                stat = await self._threads.run(mount.mountpoint, lambda: self._stat(mount.mountpoint))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            # The mount works; it is this process that may not look. A person who gave it a limit wants to hear of that.
            failed = self._fail(mount, error.strerror or str(error))
            return failed if mount.mountpoint in self._limited else None
        except TimeoutError:
            return self._fail(mount, f"no answer within {self._patience:g} s")
        except StillStuck:
            return self._fail(mount, self._complaints.reason(printable(mount.mountpoint)) or "no answer")
        except OSError as error:
            return self._fail(mount, error.strerror or str(error))
        self._complaints.note(printable(mount.mountpoint), "")
        return Reading(mount, stat) if stat.f_blocks else None

    def _fail(self, mount: Mount, reason: str) -> Reading:
        self._complaints.note(printable(mount.mountpoint), reason)
        return Reading(mount, None)


def _families(readings: Sequence[Reading], filesystems: Filesystems) -> Sequence[Metric]:
    made = Families("upkeeper_filesystem", "device", "mountpoint", "fstype")
    size = made.gauge("size_bytes", "Size of the file system.")
    avail = made.gauge("avail_bytes", "Space that is free for users other than root.")
    files = made.gauge("files", "Inodes of the file system; absent where their number is not limited.")
    files_free = made.gauge("files_free", "Free inodes of the file system; absent where their number is not limited.")
    readonly = made.gauge("readonly", "Whether the file system is mounted read-only.")
    device_error = made.gauge("device_error", "Whether the file system failed to answer.")
    warn = made.gauge("warn_used_ratio", "Used share of the file system from which a warning is due.")
    critical = made.gauge("critical_used_ratio", "Used share of the file system that is critical.")
    limits = {os.fsencode(limit.mountpoint): limit for limit in filesystems.limits}
    for reading in readings:
        mount, stat = reading.mount, reading.stat
        labels = [printable(mount.device), printable(mount.mountpoint), mount.fstype]
        limit = limits.get(mount.mountpoint)
        own_warn, own_critical = (limit.warn_used_ratio, limit.critical_used_ratio) if limit else (None, None)
        warn.add(labels, filesystems.warn_used_ratio if own_warn is None else own_warn)
        critical.add(labels, filesystems.critical_used_ratio if own_critical is None else own_critical)
        device_error.add(labels, stat is None)
        if stat is None:
            continue
        size.add(labels, stat.f_blocks * stat.f_frsize)
        avail.add(labels, stat.f_bavail * stat.f_frsize)
        readonly.add(labels, mount.readonly)
        if stat.f_files:
            files.add(labels, stat.f_files)
            files_free.add(labels, stat.f_ffree)
    return made.all
