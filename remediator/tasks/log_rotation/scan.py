"""What lies in a log directory: logs, their rotated copies and remains of interrupted work. Reads only."""

import os
import stat
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from exporter.base.statx import birth_time, is_fixed
from exporter.inventory.logs import LogDirectory
from remediator.files.compress import Stopped, chunks
from remediator.files.folder import Changed, Folder, Identity, allocated
from remediator.files.writers import FREE, Use, name_writers, use_of
from remediator.tasks.log_rotation.leftovers import noted
from remediator.tasks.log_rotation.names import Rotated, Work, is_log, is_protected, parse_rotated, work_of
from remediator.tasks.log_rotation.packed import HEAD, is_packed

_BLANK_AT_MOST = 4096
"""Cutting a log can leave a line of blanks of less than one file system block: see cut.py."""


class File(NamedTuple):
    """A regular file and who writes to it."""

    path: str
    """Relative to the root."""
    identity: Identity
    allocated: int
    """Bytes on disk, shared with its other names if it has any."""
    links: int
    """Names of the file, without the temporary ones that Upkeeper gave it."""
    use: Use


@dataclass(frozen=True, slots=True)
class Log:
    """A file that may be rotated."""

    file: File
    born: float | None
    """When the file was made, where known."""
    blank: bool
    """Holds nothing but blanks, or nothing at all."""

    stored: int
    """Its size in bytes without holes."""


class Copy(NamedTuple):
    """A rotated file. Its use is looked up only while it is neither compressed nor another program's."""

    file: File
    log: str
    """Path of the log that it came from."""
    name: Rotated


@dataclass(frozen=True, slots=True)
class Remains:
    """A temporary file of Upkeeper's: of work under way, or left by an interrupted run."""

    file: File
    work: Work
    linked: str | None
    """Path of the rotated file that it did become, or is the note of, when only the last step is missing."""


@dataclass
class Scan:
    """All that a plan is made from."""

    root: str
    """Token of the root directory."""
    logs: list[Log] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    remains: list[Remains] = field(default_factory=list)
    left_alone: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Paths by the reason why they were left alone."""


def scan(root: Folder, directory: LogDirectory, stop: threading.Event) -> Scan:
    """Looks at everything that the directory's patterns select. Raises OSError, Stopped."""
    found = Scan(root.token)
    led_to: set[tuple[int, int]] = set()
    _scan_folder(root, directory, stop, found, led_to)
    _leave_alone_what_links_lead_to(found, led_to)
    _name_writers(found)
    return found


def _scan_folder(
    folder: Folder, directory: LogDirectory, stop: threading.Event, found: Scan, led_to: set[tuple[int, int]]
) -> None:
    if stop.is_set():
        raise Stopped
    entries = dict(folder.entries())
    led_to |= _led_to(folder, entries)
    view = _View(folder, directory, entries, led_to)
    for name, facts in entries.items():
        if is_protected(name, directory.exclude):
            continue
        try:
            if stat.S_ISDIR(facts.st_mode):
                if directory.recursive:
                    with folder.folder(name) as child:
                        if child.read_only:
                            found.left_alone["a directory that cannot be written to"].append(child.path)
                            continue
                        _scan_folder(child, directory, stop, found, led_to)
            else:
                _scan_file(view, name, facts, found)
        except FileNotFoundError:
            continue  # it vanished meanwhile
        except Changed as error:
            found.left_alone[str(error)].append(folder.join(name))
        except PermissionError as error:
            found.left_alone[str(error.strerror).lower()].append(folder.join(name))


def _led_to(folder: Folder, entries: Mapping[str, os.stat_result]) -> set[tuple[int, int]]:
    """The files that the symbolic links of a directory lead to, by ``Identity.key``."""
    keys = set()
    for name, facts in entries.items():
        if stat.S_ISLNK(facts.st_mode):
            with suppress(OSError):  # it leads nowhere, or where this process may not look
                keys.add(_key(os.stat(name, dir_fd=folder.fd)))
    return keys


def _leave_alone_what_links_lead_to(found: Scan, led_to: set[tuple[int, int]]) -> None:
    """A link names what is being written now, as cronolog's and glog's do: whatever its name, that is a log."""
    if not led_to:
        return
    for copy in found.copies:
        if copy.file.identity.key in led_to:
            found.left_alone["a symbolic link leads to it, so it is a log"].append(copy.file.path)
    found.copies = [copy for copy in found.copies if copy.file.identity.key not in led_to]


class _View:
    """A directory's entries, and what the patterns say of the logs that they come from."""

    def __init__(
        self,
        folder: Folder,
        directory: LogDirectory,
        entries: Mapping[str, os.stat_result],
        led_to: Collection[tuple[int, int]],
    ) -> None:
        self.folder = folder
        self.entries = entries
        self._directory = directory
        self._led_to = led_to
        self._is_log: dict[str, bool] = {}
        temporary = [(name, facts) for name, facts in entries.items() if work_of(name)]
        self.temporary_links = Counter(_key(facts) for _, facts in temporary)
        self._linked: dict[tuple[int, int], str] = {}
        if temporary:
            self._linked = {
                _key(facts): name
                for name, facts in entries.items()
                if facts.st_nlink > 1 and (rotated := parse_rotated(name)) and rotated.own
            }

    def is_log(self, name: str) -> bool:
        """Whether the patterns take a file of this name for a log."""
        known = self._is_log.get(name)
        if known is None:
            known = self._is_log[name] = is_log(name, self._directory.include, self._directory.exclude)
        return known

    def is_led_to(self, facts: os.stat_result) -> bool:
        return _key(facts) in self._led_to

    def has_regular(self, name: str) -> bool:
        facts = self.entries.get(name)
        return facts is not None and stat.S_ISREG(facts.st_mode)

    def linked(self, facts: os.stat_result) -> str | None:
        """The rotated file that a temporary file is another name of."""
        return self._linked.get(_key(facts))


def _scan_file(view: _View, name: str, facts: os.stat_result, found: Scan) -> None:
    folder = view.folder
    work, rotated = work_of(name), parse_rotated(name)
    if rotated and view.is_led_to(facts) and view.is_log(name):
        rotated = None
    if work is None and not view.is_log(rotated.base if rotated else name):
        return
    path = folder.join(name)
    if not stat.S_ISREG(facts.st_mode):
        found.left_alone["a symbolic link" if stat.S_ISLNK(facts.st_mode) else "not a regular file"].append(path)
        return
    if is_fixed(folder.fd, name):
        found.left_alone["made immutable or append-only, by chattr +i or +a"].append(path)
        return
    links = facts.st_nlink - (view.temporary_links[_key(facts)] if view.temporary_links else 0)
    file = File(path, Identity.of(facts), allocated(facts), links, FREE)
    if work is not None:
        linked = noted(folder, name) if work == "named" else view.linked(facts)
        found.remains.append(Remains(_in_use(folder, name, file), work, folder.join(linked) if linked else None))
    elif rotated is None:
        log = _log(folder, name, file)
        if log is None:
            found.left_alone["compressed already, by its content"].append(path)
        else:
            found.logs.append(log)
    elif not view.has_regular(rotated.base):
        # Programs name logs like that too. Only the log beside it, a file of its own, proves that it is none.
        found.left_alone["named like rotated files, without the log that they would come from"].append(path)
    else:
        if rotated.own and not rotated.compressed:
            file = _in_use(folder, name, file)
        found.copies.append(Copy(file, folder.join(rotated.base), rotated))


def _log(folder: Folder, name: str, file: File) -> Log | None:
    """None for a compressed file: it is no log, though its name may be that of one."""
    if file.identity.size == 0:
        return Log(file, None, blank=True, stored=0)
    fd = folder.open(name)
    try:
        if is_packed(os.pread(fd, HEAD, 0)):
            return None
        small = file.identity.size <= _BLANK_AT_MOST
        blank = small and not os.pread(fd, _BLANK_AT_MOST, 0).strip()
        stored = sum(length for _, length in chunks(fd, 0, file.identity.size))
        return Log(file._replace(use=use_of(fd)), birth_time(fd), blank, stored)
    finally:
        os.close(fd)


def _in_use(folder: Folder, name: str, file: File) -> File:
    fd = folder.open(name)
    try:
        return file._replace(use=use_of(fd))
    finally:
        os.close(fd)


def _key(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _name_writers(found: Scan) -> None:
    """Adds to logs in use who writes to them, as far as that can be seen."""
    written = {log.file.identity.key for log in found.logs if log.file.use != FREE}
    if not written:
        return
    named, _ = name_writers(written)
    found.logs = [
        replace(log, file=log.file._replace(use=named.get(log.file.identity.key, log.file.use))) for log in found.logs
    ]
