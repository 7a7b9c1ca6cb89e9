"""The sets of a backup directory, read from directory handles: no symlink is followed, no mount is crossed.

What a set holds is remembered, so that a hundred sets of a thousand files are not looked through again each minute.
"""

import fnmatch
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from exporter.backups.empty_files import is_about_others
from exporter.backups.proofs import PROOFS, Proofs, of_open_set
from exporter.backups.set_names import final_name
from exporter.backups.sets import BackupSet, Content, judge
from exporter.backups.small_files import SmallFiles, file_is_hollow
from exporter.base.samemount import OneMount
from exporter.inventory.backups import MANIFEST, Backup
from exporter.logdirs.usage import GONE, MAX_DEPTH, OPEN_BELOW, OPEN_ROOT, UNREADABLE, Stop, WalkStopped, opened

RECHECK_SECONDS = 3600.0
"""A complete set whose directory did not change is looked through again after this: a change may be deep inside."""

_PATIENCE = 20
"""A set is looked through again only after this many times the seconds that it took, so at a small part of all time."""

_BATCH = 1000

_LARGEST_HOLLOW = 64 * 1024**2
"""Bytes of files that hold nothing which are read of one set: one that has more of them is taken to hold something."""


class _OtherMount(Exception):
    """What was opened is another file system's."""


@dataclass(slots=True)
class _Remembered:
    identity: tuple[int, ...]
    content: Content
    at: float
    took: float
    complete: bool = False


class BackupDirectory:
    """Reads a backup's directory again and again.

    wall: Unix seconds. monotonic: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        backup: Backup,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if backup.path is None or backup.pattern is None:
            raise ValueError(f"{backup.name} has no directory")
        self._path = backup.path
        self._matches = re.compile(fnmatch.translate(backup.pattern)).match
        self._directories = backup.kind != "files"
        self._files = backup.kind != "directories" and backup.complete_marker is None
        self._marker = backup.complete_marker or MANIFEST
        self._must_be_marked = backup.complete_marker is not None
        self._settle = backup.settle
        self._wall = wall
        self._monotonic = monotonic
        self._remembered: dict[str, _Remembered] = {}
        self._small = SmallFiles()

    def read(self, stop: Stop | None = None) -> list[BackupSet]:
        """The sets, in no order: directories, or files if there are none of those.

        Blocks; takes about 10 µs a remembered set and 3 µs a file of another. The configured path itself may be a
        symlink. A set that vanishes meanwhile is left out. Raises OSError when the directory cannot be read, and
        WalkStopped when ``stop`` is set; what was read until then is remembered.
        """
        directories: list[BackupSet] = []
        files: list[BackupSet] = []
        before, self._remembered = self._remembered, {}
        try:
            with opened(os.open(self._path, OPEN_ROOT)) as root:
                mount = OneMount.of(root)
                with os.scandir(root) as entries:
                    while batch := list(islice(entries, _BATCH)):
                        for entry in batch:
                            each = self._entry(root, mount, entry.name, before, stop)
                            if each is not None:
                                (directories if entry.name in self._remembered else files).append(each)
        except BaseException:
            self._remembered = before | self._remembered
            raise
        self._small.forget_others()
        return directories or files

    def _entry(
        self, root: int, mount: OneMount, name: str, before: dict[str, _Remembered], stop: Stop | None
    ) -> BackupSet | None:
        if name.startswith("."):
            return None
        final = final_name(name)
        if not self._matches(name if final is None else final):
            return None
        if stop is not None and stop.is_set():
            raise WalkStopped
        remembered = before.get(name)
        try:
            at = os.stat(name, dir_fd=root, follow_symlinks=False)
            if not mount.holds_entry(root, name, at):
                return None
            if stat.S_ISREG(at.st_mode) and self._files:
                changed, hollow = _changed(at, self._wall()), self._small.hollow(root, name, at)
                return self._judge(name, final, Content(at.st_size, at.st_mtime, changed, hollow=hollow))
            if not stat.S_ISDIR(at.st_mode) or not self._directories:
                return None
            content = self._set(root, mount, at, name, remembered, stop)
            each = self._judge(name, final, content)
            seen_before = remembered is not None and content is remembered.content and not remembered.complete
            if each.state == "complete" and seen_before:  # quiet for long enough, as far as was seen: look once more
                each = self._judge(name, final, self._set(root, mount, at, name, None, stop))
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        except _OtherMount:
            return None
        self._remembered[name].complete = each.state == "complete"
        return each

    def _judge(self, name: str, final: str | None, content: Content) -> BackupSet:
        return judge(
            name if final is None else final,
            content,
            marker=self._must_be_marked,
            settle=self._settle,
            temporary=final is not None,
            now=self._wall(),
        )

    def _set(
        self,
        root: int,
        mount: OneMount,
        at: os.stat_result,
        name: str,
        before: _Remembered | None,
        stop: Stop | None,
    ) -> Content:
        identity = (at.st_dev, at.st_ino, at.st_mtime_ns, at.st_ctime_ns, at.st_mode)
        start = self._monotonic()
        if before is not None and before.identity == identity:
            rest = max(RECHECK_SECONDS if before.complete else 0.0, _PATIENCE * before.took)
            if start < before.at + rest:
                self._remembered[name] = before
                return before.content
        walk = _Walk(mount, at.st_mtime, self._marker, self._wall(), stop)
        walk.directory(root, name, 0)
        end = self._monotonic()
        self._remembered[name] = _Remembered(identity, walk.content(), end, end - start)
        return self._remembered[name].content


def _changed(at: os.stat_result, now: float) -> float:
    """When something about the file last changed. A time of change that was set into the future tells nothing.

    The inode's own change cannot be set back, as that of the content is by ``cp -a``; but it is new whenever another
    set links to the file, as ``rsync --link-dest`` does, which changes nothing here.
    """
    written = at.st_mtime if at.st_mtime <= now else 0.0
    linked = at.st_nlink > 1 and stat.S_ISREG(at.st_mode)
    return written if linked else max(written, at.st_ctime)


class _Walk:
    """The sums of one set so far."""

    def __init__(self, mount: OneMount, own_time: float, marker: str, now: float, stop: Stop | None) -> None:
        self._mount = mount
        self._marker = marker
        self._now = now
        self._stop = stop
        self._bytes = self._unreadable = 0
        self._newest_file: float | None = None
        self._last_change = 0.0
        self._marked = False
        self._own_time = own_time
        self._holds_something = self._holds_nothing = False
        self._hollow_bytes = 0
        self._linked: set[tuple[int, int]] = set()
        self._proofs: Proofs = {}

    def content(self) -> Content:
        return Content(
            bytes=self._bytes,
            newest_file=self._newest_file,
            last_change=self._last_change,
            marked=self._marked,
            unreadable=self._unreadable,
            hollow=self._holds_nothing and not self._holds_something and not self._unreadable,
            own_time=self._own_time,
            proofs=self._proofs,
        )

    def directory(self, parent: int, name: str, depth: int) -> None:
        """Adds what the directory of this name holds. Raises OSError if the top one is gone."""
        if depth > MAX_DEPTH:
            raise OSError(f"directories are nested deeper than {MAX_DEPTH} levels")
        try:
            descriptor = os.open(name, OPEN_BELOW, dir_fd=parent)
        except OSError as error:
            if error.errno in UNREADABLE:
                self._unreadable += 1
            elif error.errno not in GONE or depth == 0:
                raise
            return
        with opened(descriptor) as handle:
            at = os.fstat(handle)
            if not self._mount.holds(handle):
                if depth == 0:
                    raise _OtherMount
                return
            self._last_change = max(self._last_change, _changed(at, self._now))
            for below in self._files(handle, depth):
                self.directory(handle, below, depth + 1)

    def _files(self, handle: int, depth: int) -> list[str]:
        """Adds the files, and returns the names of the directories."""
        below: list[str] = []
        with os.scandir(handle) as entries:
            while batch := list(islice(entries, _BATCH)):
                if self._stop is not None and self._stop.is_set():
                    raise WalkStopped
                for entry in batch:
                    try:
                        if entry.is_file(follow_symlinks=False):
                            at = entry.stat(follow_symlinks=False)
                            self._add(at)
                            if depth == 0 and entry.name == self._marker:
                                self._marked = True
                            elif depth == 0 and entry.name == PROOFS:
                                self._proofs = of_open_set(handle)
                            elif not self._holds_something and not is_about_others(entry.name):
                                hollow = file_is_hollow(handle, entry.name, at)
                                self._holds_nothing |= hollow
                                self._hollow_bytes += at.st_size
                                self._holds_something = not hollow or self._hollow_bytes > _LARGEST_HOLLOW
                        elif entry.is_dir(follow_symlinks=False):
                            below.append(entry.name)
                    except FileNotFoundError:
                        continue
        return below

    def _add(self, at: os.stat_result) -> None:
        if at.st_nlink > 1:
            inode = (at.st_dev, at.st_ino)
            if inode in self._linked:
                return
            self._linked.add(inode)
        self._bytes += at.st_size
        self._last_change = max(self._last_change, _changed(at, self._now))
        if self._newest_file is None or at.st_mtime > self._newest_file:
            self._newest_file = at.st_mtime
