"""A log directory that is watched: what changed in it is read again, and nothing else.

The kernel tells which directories changed, and which files in them (inotify(7)). Of each directory the sums of its
quiet files are kept; of files that changed in the last ten minutes each one's own figures, since disk space follows a
write later, and they are looked at in every round, as are files with other hard links. So memory is about a KiB for
each directory and each file that changed lately, of which there are ``MOST_DIRECTORIES`` and ``MOST_FILES`` at most.

What the kernel does not tell: a write through a hard link that lies elsewhere, or through a mapping of the file that
outlives its descriptor.
"""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from exporter.base import statx
from exporter.base.errors import UpkeeperError
from exporter.base.samemount import OneMount
from exporter.host.mounts import MOUNTINFO, parse_mountinfo
from exporter.inventory.logs import LogDirectory
from exporter.logdirs import inotify
from exporter.logdirs.inotify import Event, Inotify
from exporter.logdirs.usage import (
    BLOCK_BYTES,
    GONE,
    MAX_DEPTH,
    OPEN_BELOW,
    OPEN_ROOT,
    UNREADABLE,
    LogUsage,
    Stop,
    WalkStopped,
    name_filter,
    opened,
)

HOT_SECONDS = 600.0
"""A file that did not change for so long is no longer looked at by itself. XFS takes back what it allocated ahead of a
writer only after 5 minutes."""

MOST_DIRECTORIES = 10_000
"""The kernel takes a KiB or so for each watch."""

MOST_FILES = 10_000
"""Files looked at in every round, those with other hard links among them."""

_TELLING = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "f2fs", "bcachefs", "zfs", "jfs", "vfat", "exfat", "overlay"}
)
"""Local file systems: nobody but this kernel changes them."""

_CLOCK_STEP = 0.1
"""Seconds by which the kernel's times of files may lag behind: CLOCK_REALTIME_COARSE."""

_MANY_WRITES = 500
"""Of those that fill the queue. The kernel joins only writes to one file that directly follow each other."""

_BATCH = 1000
_NEVER = float("inf")


TreePath = tuple[str, ...]


class Lost(Exception):
    """What is known no longer holds: everything has to be read again."""


class Untold(UpkeeperError):
    """The kernel does not tell what changes here. The message says why."""


@dataclass(slots=True)
class _Sums:
    """What quiet files amount to."""

    apparent: int = 0
    blocks: int = 0
    files: int = 0
    oldest: float = _NEVER

    def add(self, facts: os.stat_result, is_log: bool) -> None:
        self.apparent += facts.st_size
        self.blocks += facts.st_blocks
        self.files += 1
        if is_log and facts.st_size and facts.st_mtime < self.oldest:
            self.oldest = facts.st_mtime


@dataclass(slots=True)
class _Hot:
    """A file that is looked at in every round."""

    facts: os.stat_result | None
    """None for what is gone or no regular file."""
    since: float
    """When it was last seen to change, on the monotonic clock."""


@dataclass(slots=True)
class _Directory:
    path: TreePath
    """Names from the root to it."""
    watch: int
    identity: tuple[int, int]
    quiet: _Sums = field(default_factory=_Sums)
    hot: dict[str, _Hot] = field(default_factory=dict)
    below: dict[str, "_Directory"] = field(default_factory=dict)
    unreadable: int = 0
    read_at: float = 0.0
    """Unix seconds."""
    read_in: int = 0
    """The round."""


class WatchedTree:
    """A directory and what is below it, as read and told so far."""

    def __init__(
        self,
        directory: LogDirectory,
        busy: frozenset[TreePath],
        wall: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        try:
            self._inotify = Inotify()
        except OSError as error:
            raise Untold(f"no more inotify instances: {error.strerror}") from error
        self.made = monotonic()
        self.busy = set(busy)
        """Directories that are read in every round, since to be told of each write there would fill the queue."""
        self._path = directory.path
        self._recursive = directory.recursive
        self._is_log = name_filter(directory)
        self._wall = wall
        self._monotonic = monotonic
        self._round = 0
        self._stop: Stop | None = None
        self._watched: dict[int, _Directory] = {}
        self._mount = OneMount(0, None)
        self._listing = b""
        self._mounts: list[bytes] = []
        self._root: _Directory | None = None

    def close(self) -> None:
        self._inotify.close()

    def first(self, stop: Stop | None) -> LogUsage:
        """Reads everything. Raises Untold, WalkStopped, OSError."""
        self._stop = stop
        with opened(os.open(self._path, OPEN_ROOT)) as handle:
            self._mount = OneMount.of(handle)
            self._mounts = self._mounts_below(handle)
            self._root = self._enter(handle, ())
            self._look_at_hot(handle)
        return self._usage()

    def again(self, stop: Stop | None) -> LogUsage:
        """Reads what changed. Raises Lost, Untold, WalkStopped, OSError."""
        self._stop = stop
        self._round += 1
        assert self._root is not None
        with opened(os.open(self._path, OPEN_ROOT)) as handle:
            if _identity(os.fstat(handle)) != self._root.identity or self._mounts_below(handle) != self._mounts:
                raise Lost
            for directory in self._take_in(self._inotify.events(), handle):
                if self._watched.get(directory.watch) is not directory:
                    continue  # it was replaced, and its parent was read before it
                with self._handle(handle, directory) as at:
                    self._read(at, directory)
            self._look_at_hot(handle)
        return self._usage()

    def _mounts_below(self, root: int) -> list[bytes]:
        """Mount points in the tree: a mount hides what was there, and no event tells. Raises Untold."""
        listing = MOUNTINFO.read_bytes()
        if listing == self._listing:
            return self._mounts
        number = statx.mount_id(root)
        below = os.fsencode(Path(f"/proc/self/fd/{root}").readlink()).rstrip(b"/") + b"/"
        mounts = parse_mountinfo(listing)
        if not any(mount.mount_id == number and mount.fstype in _TELLING for mount in mounts):
            raise Untold("not a local file system that tells of every change")
        self._listing = listing
        return [mount.mountpoint for mount in mounts if mount.mountpoint.startswith(below)]

    def _enter(self, handle: int, path: TreePath) -> _Directory:
        if len(path) > MAX_DEPTH:
            raise OSError(f"directories are nested deeper than {MAX_DEPTH} levels")
        if len(self._watched) >= MOST_DIRECTORIES:
            raise Untold(f"more than {MOST_DIRECTORIES} directories")
        try:
            # Before it is read, so that no change falls in between.
            watch = self._inotify.watch(handle, writes=path not in self.busy)
        except OSError as error:
            raise Untold(f"no more inotify watches (fs.inotify.max_user_watches): {error.strerror}") from error
        if watch in self._watched:
            raise Lost  # it moved while the tree was read
        directory = _Directory(path, watch, _identity(os.fstat(handle)))
        self._watched[watch] = directory
        self._read(handle, directory)
        return directory

    def _leave(self, directory: _Directory) -> None:
        for below in directory.below.values():
            self._leave(below)
        if self._watched.pop(directory.watch, None) is not None:
            self._inotify.forget(directory.watch)

    def _read(self, handle: int, directory: _Directory) -> None:
        """Reads a directory, and those below that are new."""
        directory.read_at, directory.read_in = self._wall(), self._round
        directory.quiet = _Sums()
        directory.unreadable = 0
        below: dict[str, tuple[int, int]] = {}
        with os.scandir(handle) as entries:
            while batch := list(islice(entries, _BATCH)):
                if self._stop is not None and self._stop.is_set():
                    raise WalkStopped
                below |= self._read_batch(batch, directory)
        known, directory.below = directory.below, {}
        for name, child in known.items():
            if below.get(name) == child.identity and child.watch in self._watched:
                directory.below[name] = child
            else:
                self._leave(child)
        for name in below.keys() - directory.below.keys():
            self._descend(handle, directory, name)

    def _read_batch(self, entries: Iterable[os.DirEntry[str]], directory: _Directory) -> dict[str, tuple[int, int]]:
        """Adds up the files, and returns the directories. This loop runs once a file."""
        below = {}
        quiet, hot, is_log = directory.quiet, directory.hot, self._is_log
        apparent = blocks = files = 0
        for entry in entries:
            try:
                if not entry.is_file(follow_symlinks=False):
                    if self._recursive and entry.is_dir(follow_symlinks=False):
                        below[entry.name] = _identity(entry.stat(follow_symlinks=False))
                    continue
                if entry.name in hot:
                    continue  # looked at by itself
                facts = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if facts.st_nlink > 1:
                if self._round:
                    raise Lost  # its other name may be among the quiet files
                hot[entry.name] = _Hot(facts, self._monotonic())
                continue
            files += 1
            apparent += facts.st_size
            blocks += facts.st_blocks
            if facts.st_mtime < quiet.oldest and facts.st_size and is_log(entry.name):
                quiet.oldest = facts.st_mtime
        quiet.files += files
        quiet.apparent += apparent
        quiet.blocks += blocks
        return below

    def _descend(self, handle: int, directory: _Directory, name: str) -> None:
        try:
            descriptor = os.open(name, OPEN_BELOW, dir_fd=handle)
        except OSError as error:
            if error.errno in UNREADABLE:
                directory.unreadable += 1
            elif error.errno not in GONE:
                raise
            return
        with opened(descriptor) as child:
            if self._mount.holds(child):
                directory.below[name] = self._enter(child, (*directory.path, name))

    def _take_in(self, events: Sequence[Event], root: int) -> list[_Directory]:
        """The directories that have to be read again. Notes which files are to be looked at by themselves."""
        again = {each.watch: each for each in self._watched.values() if each.path in self.busy} if self.busy else {}
        touched: dict[int, dict[str, int]] = {}
        for event in events:
            if event.mask & inotify.OVERFLOW:
                self._find_busy(events)
            if event.mask & (inotify.OVERFLOW | inotify.UNMOUNT | inotify.MOVE_SELF):
                raise Lost
            directory = self._watched.get(event.watch)
            if directory is None:
                continue
            if event.mask & inotify.IGNORED:
                del self._watched[event.watch]  # it was deleted, which its parent is told too
            elif not event.name:
                if directory is self._root and event.mask & (inotify.ATTRIB | inotify.DELETE_SELF):
                    raise Lost
            elif event.mask & inotify.ISDIR:
                if not self._recursive:
                    continue
                if event.mask & (inotify.MOVED_FROM | inotify.MOVED_TO):
                    raise Lost
                again[event.watch] = directory
                child = directory.below.pop(event.name, None)
                if child is not None:
                    self._leave(child)
            else:
                touched.setdefault(event.watch, {}).setdefault(event.name, event.mask)
        for watch, names in touched.items():
            directory = self._watched.get(watch)
            if directory is not None and watch not in again and not self._all_new(root, directory, names):
                again[watch] = directory
            if directory is not None:
                now = self._monotonic()
                for name in names:
                    directory.hot.setdefault(name, _Hot(None, now)).since = now
        return [directory for watch, directory in again.items() if watch in self._watched]

    def _find_busy(self, events: Sequence[Event]) -> None:
        writes = Counter(event.watch for event in events if event.mask & inotify.MODIFY)
        often = (watch for watch, count in writes.items() if count >= _MANY_WRITES)
        self.busy |= {self._watched[watch].path for watch in often if watch in self._watched}

    def _all_new(self, root: int, directory: _Directory, first: dict[str, int]) -> bool:
        """Whether none of these files is among the quiet ones, by the first that was told of each."""
        unknown = [name for name in first if name not in directory.hot]
        if not unknown:
            return True
        if not all(first[name] & inotify.CREATE for name in unknown):
            return False
        if directory.read_in < self._round - 1:
            return True
        # It was told of after the directory was read, and may have been there while it was: then it is counted.
        with self._handle(root, directory) as at:
            return all(self._is_younger(at, name, directory.read_at + _CLOCK_STEP) for name in unknown)

    def _is_younger(self, directory: int, name: str, moment: float) -> bool:
        try:
            born = statx.birth_time(directory, name)
        except FileNotFoundError:
            return False
        return born is not None and born > moment

    def _handle(self, root: int, directory: _Directory) -> "_Chain":
        return _Chain(root, directory, self._mount)

    def _look_at_hot(self, root: int) -> None:
        """Looks at each file that changed lately, and lets those go that have been quiet for long."""
        directories = [directory for directory in self._watched.values() if directory.hot]
        if sum(len(directory.hot) for directory in directories) > MOST_FILES:
            raise Untold(f"more than {MOST_FILES} files that changed lately or have other hard links")
        now = self._monotonic()
        for directory in directories:
            with self._handle(root, directory) as at:
                for name, hot in list(directory.hot.items()):
                    facts = _regular(at, name)
                    if facts is not None and facts.st_nlink > 1 and self._is_news(hot.facts):
                        raise Lost  # its other name may be among the quiet files
                    if _figures(facts) != _figures(hot.facts):
                        hot.since = now
                    hot.facts = facts
                    if facts is None:
                        del directory.hot[name]
                    elif now - hot.since > HOT_SECONDS and facts.st_nlink == 1:
                        directory.quiet.add(facts, self._is_log(name))
                        del directory.hot[name]

    def _is_news(self, before: os.stat_result | None) -> bool:
        return self._round > 0 and (before is None or before.st_nlink == 1)

    def _usage(self) -> LogUsage:
        total = _Sums()
        unreadable = 0
        linked: set[tuple[int, int]] = set()
        for directory in self._watched.values():
            quiet = directory.quiet
            total.apparent += quiet.apparent
            total.blocks += quiet.blocks
            total.files += quiet.files
            total.oldest = min(total.oldest, quiet.oldest)
            unreadable += directory.unreadable
            for name, hot in directory.hot.items():
                facts = hot.facts
                if facts is None:
                    continue
                if facts.st_nlink > 1 and _identity(facts) in linked:
                    if facts.st_size and self._is_log(name):
                        total.oldest = min(total.oldest, facts.st_mtime)
                    continue
                linked.add(_identity(facts))
                total.add(facts, self._is_log(name))
        return LogUsage(
            apparent_bytes=total.apparent,
            allocated_bytes=total.blocks * BLOCK_BYTES,
            files=total.files,
            oldest_unrotated=None if total.oldest == _NEVER else total.oldest,
            unreadable=unreadable,
        )


class _Chain:
    """The handle of a directory, opened name by name from the root so that no link can lead elsewhere.

    Raises Lost if something else is there by now.
    """

    def __init__(self, root: int, directory: _Directory, mount: OneMount) -> None:
        self._root = root
        self._directory = directory
        self._mount = mount
        self._fd = -1

    def __enter__(self) -> int:
        fd = os.dup(self._root)
        try:
            for name in self._directory.path:
                above, fd = fd, -1
                try:
                    fd = os.open(name, OPEN_BELOW, dir_fd=above)
                finally:
                    os.close(above)
            if _identity(os.fstat(fd)) != self._directory.identity or not self._mount.holds(fd):
                raise Lost
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            raise (Lost if error.errno in GONE | UNREADABLE else error) from error
        except Lost:
            os.close(fd)
            raise
        self._fd = fd
        return fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _regular(directory: int, name: str) -> os.stat_result | None:
    try:
        facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            return None
        raise
    return facts if stat.S_ISREG(facts.st_mode) else None


def _figures(facts: os.stat_result | None) -> tuple[int, ...] | None:
    return None if facts is None else (facts.st_size, facts.st_blocks, facts.st_mtime_ns, facts.st_nlink, facts.st_ino)
