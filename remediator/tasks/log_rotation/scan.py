"""What lies in a log directory: logs, their rotated copies and remains of interrupted work. Reads only."""

import os
import stat
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from exporter.base.statx import FileFacts, Looker, birth_time
from exporter.inventory.logs import LogDirectory
from exporter.logdirs.usage import MAX_DEPTH
from remediator.files.compress import Stopped, chunks
from remediator.files.folder import BLOCK_BYTES, Changed, Folder, Identity
from remediator.files.writers import FREE, WRITTEN, Use, is_surely_written, name_writers, use_of
from remediator.tasks.log_rotation.leftovers import noted
from remediator.tasks.log_rotation.names import Work, is_log, is_protected, parse_rotated, work_of
from remediator.tasks.log_rotation.packed import HEAD, is_packed

_SMALL_NUMBER = 999
"""A number of a rotated file up to this is taken for logrotate's, whatever else is there."""
_GAPLESS = 0.9
"""The part of the numbers below a higher one that has to be there."""
_LOOKING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_BLANK_AT_MOST = 4096
"""Cutting a log can leave a line of blanks of less than one file system block: see cut.py."""


class File(NamedTuple):
    """A regular file and who writes to it."""

    path: str
    """Relative to the root."""
    device: int
    inode: int
    size: int
    mtime_ns: int
    allocated: int
    """Bytes on disk, shared with its other names if it has any."""
    links: int
    """Names of the file, without the temporary ones that Upkeeper gave it."""
    use: Use

    @property
    def identity(self) -> Identity:
        return Identity(self.device, self.inode, self.size, self.mtime_ns)


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
    """A rotated file: as File, and what its name says, in one tuple, since there can be a hundred thousand.

    Its use is looked up only while it is neither compressed nor another program's.
    """

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    allocated: int
    links: int
    use: Use
    log: str
    """Path of the log that it came from."""
    own: bool
    """This and what follows: as Rotated."""
    compressed: bool
    stamp: float | None
    unit: float
    number: int
    generation: int | None
    ctime_ns: int
    """When it was last changed: what was written to in place shows by this, though its other times were set back."""

    @property
    def identity(self) -> Identity:
        return Identity(self.device, self.inode, self.size, self.mtime_ns)


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
    allocated: int = 0
    """Bytes on disk of all regular files that were seen, those that no pattern selects among them."""
    all_seen: bool = True
    """Whether no directory was passed over: then ``allocated`` is what the whole directory takes."""


def scan(root: Folder, directory: LogDirectory, stop: threading.Event) -> Scan:
    """Looks at everything that the directory's patterns select. Raises OSError, Stopped."""
    found = Scan(root.token)
    shared = _Shared(directory, stop, found)
    _scan_folder(root, shared, 0)
    _leave_alone_what_links_lead_to(found, shared.led_to)
    _leave_alone_stray_numbers(found)
    _name_writers(found)
    return found


@dataclass(frozen=True)
class _Shared:
    """What the directories of one scan have in common."""

    directory: LogDirectory
    stop: threading.Event
    found: Scan
    led_to: set[tuple[int, int]] = field(default_factory=set)
    """What symbolic links lead to, by ``Identity.key``."""
    counted: set[tuple[int, int]] = field(default_factory=set)
    """Files with other hard links whose bytes are counted already."""


def _scan_folder(folder: Folder, shared: _Shared, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise OSError(f"directories are nested deeper than {MAX_DEPTH} levels")
    directory, found = shared.directory, shared.found
    itself = Looker(folder.fd).look(".")
    if itself is not None and itself[-1]:
        # Its entries cannot be removed, temporary ones neither.
        found.left_alone["a directory made immutable or append-only, by chattr +i or +a"].append(
            folder.path or directory.path
        )
        found.all_seen = False
        return
    entries = _look_at_all(folder, shared)
    shared.led_to.update(folder.led_to(name for name, facts in entries.items() if stat.S_ISLNK(facts[2])))
    view = _View(folder, directory, entries, shared.led_to)
    for name, facts in entries.items():
        try:
            if stat.S_ISDIR(facts[2]):
                _scan_below(folder, name, shared, depth)
            elif not (directory.exclude and is_protected(name, directory.exclude)):
                _scan_file(view, name, facts, found)
        except FileNotFoundError:
            continue  # it has vanished
        except Changed as error:
            found.left_alone[str(error)].append(folder.join(name))
        except PermissionError as error:
            found.left_alone[str(error.strerror).lower()].append(folder.join(name))


def _look_at_all(folder: Folder, shared: _Shared) -> dict[str, FileFacts]:
    """What a directory holds, by name, the bytes of its files counted. What vanishes in the meantime is left out."""
    entries: dict[str, FileFacts] = {}
    blocks = 0
    look, stopped = Looker(folder.fd).look, shared.stop.is_set
    for name in folder.names():
        if stopped():
            raise Stopped
        facts = look(name)
        if facts is None:
            continue
        entries[name] = facts
        device, inode, mode, links, _, its_blocks, *_ = facts
        if not stat.S_ISREG(mode):
            continue
        if links > 1:
            if (device, inode) in shared.counted:
                continue
            shared.counted.add((device, inode))
        blocks += its_blocks
    shared.found.allocated += blocks * BLOCK_BYTES
    return entries


def _scan_below(folder: Folder, name: str, shared: _Shared, depth: int) -> None:
    if not shared.directory.recursive:
        return
    found = shared.found
    seen, found.all_seen = found.all_seen, False
    if is_protected(name, shared.directory.exclude):
        return
    with folder.folder(name) as child:
        if child.read_only:
            found.left_alone["a directory that cannot be written to"].append(child.path)
            return
        found.all_seen = seen
        _scan_folder(child, shared, depth + 1)


def _leave_alone_what_links_lead_to(found: Scan, led_to: set[tuple[int, int]]) -> None:
    """A link names what is being written now, as cronolog's and glog's do: whatever its name, that is a log."""
    if not led_to:
        return
    for copy in found.copies:
        if (copy.device, copy.inode) in led_to:
            found.left_alone["a symbolic link leads to it, so it is a log"].append(copy.path)
    found.copies = [copy for copy in found.copies if (copy.device, copy.inode) not in led_to]


def _leave_alone_stray_numbers(found: Scan) -> None:
    """A year or a port is no generation of a log: below one so high, most of the numbers are there too."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for copy in found.copies:
        if copy.generation is not None:
            numbers[copy.log].add(copy.generation)
    highest = {
        log: max((number for place, number in enumerate(sorted(those), 1) if place >= _GAPLESS * number), default=0)
        for log, those in numbers.items()
        if max(those) > _SMALL_NUMBER
    }
    if not highest:
        return
    stray = {
        copy.path
        for copy in found.copies
        if copy.generation is not None and copy.generation > max(_SMALL_NUMBER, highest.get(copy.log, copy.generation))
    }
    for path in sorted(stray):
        found.left_alone["a number that counts no rotations, since most of those below it are missing"].append(path)
    if stray:
        found.copies = [copy for copy in found.copies if copy.path not in stray]


class _View:
    """A directory's entries, and what the patterns say of the logs that they come from."""

    def __init__(
        self,
        folder: Folder,
        directory: LogDirectory,
        entries: Mapping[str, FileFacts],
        led_to: Collection[tuple[int, int]],
    ) -> None:
        self.folder = folder
        self.led_to = led_to
        self._entries = entries
        self._directory = directory
        self._is_log: dict[str, bool] = {}
        self._proven: dict[str, str | None] = {}
        temporary = [(name, facts) for name, facts in entries.items() if work_of(name)]
        # Of each temporary file, by its ``Identity.key``: how many of its names are temporary. Empty where none is.
        self.temporary_links = Counter(facts[:2] for _, facts in temporary)
        self._linked: dict[tuple[int, int], str] = {}
        if temporary:
            self._linked = {
                facts[:2]: name
                for name, facts in entries.items()
                if facts[3] > 1 and (rotated := parse_rotated(name)) and rotated.own
            }

    def is_log(self, name: str) -> bool:
        """Whether the patterns take a file of this name for a log."""
        known = self._is_log.get(name)
        if known is None:
            known = self._is_log[name] = is_log(name, self._directory.include, self._directory.exclude)
        return known

    def log_of(self, base: str) -> str | None:
        """The path of the log of this name, if it lies here as a regular file."""
        try:
            return self._proven[base]
        except KeyError:
            facts = self._entries.get(base)
            is_there = facts is not None and stat.S_ISREG(facts[2])
            path = self._proven[base] = self.folder.join(base) if is_there else None
            return path

    def linked(self, key: tuple[int, int]) -> str | None:
        """The rotated file that a temporary file, by its ``Identity.key``, is another name of."""
        return self._linked.get(key)


def _scan_file(view: _View, name: str, facts: FileFacts, found: Scan) -> None:
    folder = view.folder
    device, inode, mode, links, size, blocks, mtime_ns, ctime_ns, fixed = facts
    work = work_of(name) if view.temporary_links else None
    rotated = parse_rotated(name)
    if rotated and view.led_to and (device, inode) in view.led_to and view.is_log(name):
        rotated = None
    if work is None and not view.is_log(rotated.base if rotated else name):
        return
    path = folder.join(name)
    if not stat.S_ISREG(mode):
        found.left_alone["a symbolic link" if stat.S_ISLNK(mode) else "not a regular file"].append(path)
        return
    if fixed:
        found.left_alone["made immutable or append-only, by chattr +i or +a"].append(path)
        return
    if view.temporary_links:
        links -= view.temporary_links[device, inode]
    if work is None and rotated is not None:
        log_path = view.log_of(rotated.base)
        if log_path is None:
            # Programs name logs like that too. Only the log beside it, a file of its own, proves that it is none.
            found.left_alone["named like rotated files, without the log that they would come from"].append(path)
            return
        use = FREE
        if not rotated.compressed:
            use = _use(folder, name) if rotated.own else _quick_use(folder, name)
        at = (path, device, inode, size, mtime_ns, blocks * BLOCK_BYTES, links, use, log_path)
        found.copies.append(Copy(*at, *rotated[1:], ctime_ns))
        return
    file = File(path, device, inode, size, mtime_ns, blocks * BLOCK_BYTES, links, FREE)
    if work is not None:
        linked = noted(folder, name) if work == "named" else view.linked((device, inode))
        file = file._replace(use=_use(folder, name))
        found.remains.append(Remains(file, work, folder.join(linked) if linked else None))
    else:
        log = _log(folder, name, file)
        if log is None:
            found.left_alone["compressed already, by its content"].append(path)
        else:
            found.logs.append(log)


def _log(folder: Folder, name: str, file: File) -> Log | None:
    """None for a compressed file: it is no log, though its name may be that of one."""
    if file.size == 0:
        return Log(file, None, blank=True, stored=0)
    fd = folder.open(name)
    try:
        if is_packed(os.pread(fd, HEAD, 0)):
            return None
        small = file.size <= _BLANK_AT_MOST
        blank = small and not os.pread(fd, _BLANK_AT_MOST, 0).strip()
        stored = sum(length for _, length in chunks(fd, 0, file.size))
        return Log(file._replace(use=use_of(fd)), birth_time(fd), blank, stored)
    finally:
        os.close(fd)


def _use(folder: Folder, name: str) -> Use:
    fd = folder.open(name)
    try:
        return use_of(fd)
    finally:
        os.close(fd)


def _quick_use(folder: Folder, name: str) -> Use:
    """Of what another tool has rotated, which there may be very much of: whether a program was not told of that."""
    try:
        fd = os.open(name, _LOOKING, dir_fd=folder.fd)
    except OSError:  # it is asked again before it is deleted
        return FREE
    try:
        return WRITTEN if is_surely_written(fd) else FREE
    finally:
        os.close(fd)


def _name_writers(found: Scan) -> None:
    """Adds to logs in use who writes to them, as far as that can be seen."""
    written = {log.file.identity.key for log in found.logs if log.file.use != FREE}
    if not written:
        return
    named, _ = name_writers(written)
    found.logs = [
        replace(log, file=log.file._replace(use=named.get(log.file.identity.key, log.file.use))) for log in found.logs
    ]
