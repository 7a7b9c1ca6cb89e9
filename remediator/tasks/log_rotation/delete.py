"""Removes rotated files, each only while it is what the plan saw: one of them, or thousands in one go."""

import errno
import os
import stat
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from exporter.base.statx import Looker
from exporter.base.text import printable
from exporter.inventory.logs import LogDirectory
from exporter.logdirs.usage import MAX_DEPTH
from remediator.files.compress import Stopped
from remediator.files.folder import Changed, Folder, allocated, open_below
from remediator.files.writers import is_written
from remediator.model.task import Effect, TaskError
from remediator.progress import Counter
from remediator.tasks.log_rotation.lock import alone_in
from remediator.tasks.log_rotation.names import gone_name, is_gone, is_log, is_protected, parse_rotated, work_of

_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_WITHOUT_LOG = "the log that it would come from is not there"
_LIST_SERVES = 20.0
"""Times as long as it took to make a list of links, it serves."""
_TOLD_EACH = 100
"""Files after which it is told how far it is."""
_NAMED = 5
"""This many of the files left alone are named in the record; the rest are counted."""


class Covered:
    """What may be deleted in one directory by its patterns and entries as they are now, not as the plan saw them."""

    def __init__(self, folder: Folder, directory: LogDirectory, links: "Links") -> None:
        self._folder = folder
        self._directory = directory
        self._refusals: dict[str, str] = {}
        self._links = links

    def check(self, name: str) -> None:
        """Raises Changed unless this names a rotated file of a log that is there, or work left unfinished.

        What a symbolic link leads to by now is no rotated file, whatever its name.
        """
        rotated = parse_rotated(name)
        if self._directory.exclude and is_protected(name, self._directory.exclude):
            raise Changed("protected by `exclude:`")
        if rotated is None:
            if work_of(name) is None:
                raise Changed("not covered by `include:`")
            return
        reason = self._refusals.get(rotated.base)
        if reason is None:
            reason = self._refusals[rotated.base] = self._refusal(rotated.base)
        if reason:
            raise Changed(reason)
        log = self._folder.stat(rotated.base)
        if log is None or not stat.S_ISREG(log.st_mode):
            raise Changed(_WITHOUT_LOG if self._folder.stat(name) else "gone")
        if self._links.lead_to(self._folder, name):
            raise Changed("a symbolic link leads to it, so it is a log")

    def _refusal(self, base: str) -> str:
        if is_protected(base, self._directory.exclude):
            return "protected by `exclude:`"
        if not is_log(base, self._directory.include, self._directory.exclude):
            return "not covered by `include:`"
        return ""


class Links:
    """What the symbolic links below the root lead to now, as far down as the directory is covered.

    Listing a large directory takes longer than deleting a file, so a list serves for a while (``_LIST_SERVES``).
    """

    def __init__(self, root: Folder, *, recursive: bool) -> None:
        self._root = root
        self._recursive = recursive
        self._led_to: set[tuple[int, int]] = set()
        self._good_until = -1.0

    def lead_to(self, folder: Folder, name: str) -> bool:
        """Whether one of them leads to this file."""
        start = time.monotonic()
        if start >= self._good_until:
            self._led_to = self._look()
            end = time.monotonic()
            self._good_until = end + _LIST_SERVES * (end - start)
        if not self._led_to:
            return False
        facts = folder.stat(name)
        return facts is not None and (facts.st_dev, facts.st_ino) in self._led_to

    def _look(self) -> set[tuple[int, int]]:
        with open_below(self._root, "") as top:
            return self._led_to_in(top, 0)

    def _led_to_in(self, folder: Folder, depth: int) -> set[tuple[int, int]]:
        links, directories = folder.links_and_directories()
        keys = folder.led_to(links)
        for name in directories if self._recursive and depth < MAX_DEPTH else ():
            # What is gone, hidden or another mount by now has no link that could have been looked at.
            with suppress(Changed, OSError), folder.folder(name) as child:
                keys |= self._led_to_in(child, depth + 1)
        return keys


def check_folder(path: str, directory: LogDirectory) -> None:
    """Raises Changed where the patterns do not reach into this directory, given below the root, any more."""
    if path and not directory.recursive:
        raise Changed("not covered without `recursive:`")
    if path and any(is_protected(part, directory.exclude) for part in path.split("/")):
        raise Changed("protected by `exclude:`")


def delete_file(folder: Folder, name: str, device: int, marked: str) -> int:
    """Removes a file that is still the same by its ``mark``, has no other name and no writer. Returns the bytes freed.

    Raises Changed, and OSError where the process may not.
    """
    fd = -1
    try:
        try:
            fd = os.open(name, _READING, dir_fd=folder.fd)
            facts = os.fstat(fd)
        except FileNotFoundError as error:
            inode = int(marked.partition(":")[0])
            finished = folder.finish_taking_away(gone_name(inode, name), inode)
            if finished is None:
                raise Changed("gone") from error
            return allocated(finished)
        except OSError:
            # What may not be read may still be deleted: it is old, and the directory is ours.
            facts = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
        mark = f"{facts.st_ino}:{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}"
        if mark != marked or facts.st_dev != device:
            _check_mark(folder, name, facts, device, marked)
        if not stat.S_ISREG(facts.st_mode):
            raise Changed("not a regular file")
        work = work_of(name)
        if work is None and facts.st_nlink > 1:
            raise Changed("has other hard links")
        if work == "swap" and facts.st_nlink == 1 and facts.st_size:
            raise Changed("what is in it is nowhere else")
        if fd >= 0 and is_written(fd):
            raise Changed("a process still writes to it")
        if work is not None:
            if work == "gone" and not is_gone(name, facts.st_ino):
                raise Changed("not the file that was to be deleted under this name")
            os.unlink(name, dir_fd=folder.fd)
        else:
            folder.take_away(name, (facts.st_dev, facts.st_ino), gone_name(facts.st_ino, name))
    except FileNotFoundError as error:
        raise Changed("gone") from error
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise Changed("a mount of its own") from error
        raise
    finally:
        if fd >= 0:
            os.close(fd)
    return allocated(facts) if facts.st_nlink == 1 else 0


def _check_mark(folder: Folder, name: str, facts: os.stat_result, device: int, marked: str) -> None:
    """Raises Changed, with what is different, unless this is the file of a ``mark`` without ``st_ctime_ns``.

    Raises PermissionError for one that was made immutable since: that is what keeps it, not what is in it.
    """
    if (facts.st_dev, str(facts.st_ino)) != (device, marked.partition(":")[0]):
        raise Changed("another file by now")
    if marked != f"{facts.st_ino}:{facts.st_size}:{facts.st_mtime_ns}":
        fixed = Looker(folder.fd).look(name)
        if fixed is not None and fixed[-1]:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), name)
        raise Changed("has other hard links" if facts.st_nlink > 1 else "changed since the plan")


@dataclass
class _Left:
    """Files that stay: how many, and the first of them with the reasons."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, path: str, reason: str) -> None:
        self.count += 1
        if len(self.named) < _NAMED:
            self.named.append(f"{printable(path)} ({reason})")


@dataclass
class _Tally:
    """The result for many files."""

    deleted: int = 0
    gone: int = 0
    freed: int = 0
    left_alone: _Left = field(default_factory=_Left)
    """No longer what the plan saw."""
    refused: _Left = field(default_factory=_Left)

    def effect(self) -> Effect:
        """Raises TaskError if nothing could be deleted, at least in part because of missing permissions."""
        left = self.left_alone.count + self.refused.count
        named = [*self.refused.named, *self.left_alone.named][
            :_NAMED
        ]  # what is stuck comes first: the run's reason quotes it
        more = f" and {left - len(named)} more" if left > len(named) else ""
        rest = f"left alone: {', '.join(named)}{more}" if left else ""
        if self.refused.count and not self.deleted:
            raise TaskError(rest)
        parts = [f"deleted {self.deleted:,} file{'' if self.deleted == 1 else 's'}"] if self.deleted else []
        parts += [f"{self.gone:,} were gone"] if self.gone else []
        parts += [rest] if rest else []
        state = "partial" if self.refused.count else "done" if self.deleted else "skipped"
        return Effect(state=state, detail="; ".join(parts), freed_bytes=self.freed)


def delete_files(
    root: Folder,
    files: Iterable[tuple[str, Sequence[tuple[str, str]]]],
    device: int,
    directory: LogDirectory,
    stop: threading.Event,
    excess: int | None = None,
) -> Effect:
    """Removes files, each directory's by (name, ``mark``), in this order; what cannot go is left, and named.

    excess: bytes to free at least; whatever is left after that stays. Without it, all go.
    Raises Stopped between two files, TaskError if missing permissions kept everything from being removed.
    """
    files = list(files)
    tally, links = _Tally(), Links(root, recursive=directory.recursive)
    counter = Counter(sum(len(members) for _, members in files), "files")
    for path, members in files:
        if excess is not None and tally.freed >= excess:
            break
        try:
            check_folder(path, directory)
            with open_below(root, path) as folder, alone_in(folder, stop):
                _delete_in(Covered(folder, directory, links), folder, members, device, stop, excess, tally, counter)
        except Changed as error:
            for name, _ in members:
                tally.left_alone.add(f"{path}/{name}" if path else name, str(error))
    return tally.effect()


def _delete_in(
    covered: Covered,
    folder: Folder,
    files: Sequence[tuple[str, str]],
    device: int,
    stop: threading.Event,
    excess: int | None,
    tally: _Tally,
    counter: Counter,
) -> None:
    stopped = stop.is_set
    for place, (name, marked) in enumerate(files, 1):
        if stopped():
            raise Stopped
        if not place % _TOLD_EACH:
            counter.add(_TOLD_EACH)
        if excess is not None and tally.freed >= excess:
            return
        try:
            covered.check(name)
            tally.freed += delete_file(folder, name, device, marked)
            tally.deleted += 1
        except Changed as error:
            if folder.stat(name) is None:
                tally.gone += 1
            else:
                tally.left_alone.add(folder.join(name), str(error))
        except OSError as error:
            tally.refused.add(folder.join(name), str(error.strerror))
