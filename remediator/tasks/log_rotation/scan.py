"""What lies in a log directory: logs, their rotated copies and remains of interrupted work. Reads only."""

import os
import stat
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from exporter.inventory.logs import LogDirectory
from exporter.statx import birth_time, is_fixed
from remediator.files.compress import Stopped, chunks
from remediator.files.folder import Changed, Folder, Identity, allocated
from remediator.files.writers import FREE, Use, name_writers, use_of
from remediator.tasks.log_rotation.names import Rotated, is_log, is_protected, parse_rotated, variants, wanted_name
from remediator.tasks.log_rotation.packed import HEAD, is_packed

_BLANK_AT_MOST = 4096
"""Cutting a log can leave a line of blanks of less than one file system block: see cut.py."""


@dataclass(frozen=True, slots=True)
class File:
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


@dataclass(frozen=True, slots=True)
class Copy:
    """A rotated file. Its use is looked up only while it is neither compressed nor another program's."""

    file: File
    log: str
    """Path of the log that it came from, which may be gone."""
    name: Rotated


@dataclass(frozen=True, slots=True)
class Remains:
    """A temporary file of Upkeeper's: of work under way, or left by an interrupted run."""

    file: File
    wanted: str
    """Path of the file that it was to become."""
    linked: str | None
    """Path of the rotated file that it did become, when only the last step is missing."""


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
    _scan_folder(root, directory, stop, found)
    _name_writers(found)
    return found


def _scan_folder(folder: Folder, directory: LogDirectory, stop: threading.Event, found: Scan) -> None:
    if stop.is_set():
        raise Stopped
    entries = {name: facts for name, facts in folder.entries() if not is_protected(name, directory.exclude)}
    temporary = Counter(_key(facts) for name, facts in entries.items() if wanted_name(name))
    for name, facts in entries.items():
        try:
            if stat.S_ISDIR(facts.st_mode):
                if directory.recursive:
                    with folder.folder(name) as child:
                        if child.read_only:
                            found.left_alone["a directory that cannot be written to"].append(child.path)
                            continue
                        _scan_folder(child, directory, stop, found)
            else:
                _scan_file(folder, name, entries, temporary[_key(facts)], directory, found)
        except FileNotFoundError:
            continue  # it vanished meanwhile
        except Changed as error:
            found.left_alone[str(error)].append(folder.join(name))
        except PermissionError as error:
            found.left_alone[str(error.strerror).lower()].append(folder.join(name))


def _scan_file(
    folder: Folder,
    name: str,
    entries: Mapping[str, os.stat_result],
    temporary_links: int,
    directory: LogDirectory,
    found: Scan,
) -> None:
    facts, path = entries[name], folder.join(name)
    wanted, rotated = wanted_name(name), parse_rotated(name)
    base = rotated.base if rotated else name
    if wanted is None and not is_log(base, directory.include, directory.exclude):
        return
    if not stat.S_ISREG(facts.st_mode):
        found.left_alone["a symbolic link" if stat.S_ISLNK(facts.st_mode) else "not a regular file"].append(path)
        return
    if is_fixed(folder.fd, name):
        found.left_alone["made immutable or append-only, by chattr +i or +a"].append(path)
        return
    file = File(path, Identity.of(facts), allocated(facts), facts.st_nlink - temporary_links, FREE)
    if wanted is not None:
        linked = _linked(variants(wanted), entries, facts)
        found.remains.append(
            Remains(_in_use(folder, name, file), folder.join(wanted), folder.join(linked) if linked else None)
        )
    elif rotated is None:
        log = _log(folder, name, file)
        if log is None:
            found.left_alone["compressed already, by its content"].append(path)
        else:
            found.logs.append(log)
    elif rotated.own:
        file = file if rotated.compressed else _in_use(folder, name, file)
        found.copies.append(Copy(file, folder.join(base), rotated))
    elif base in entries:
        found.copies.append(Copy(file, folder.join(base), rotated))
    else:
        # Only the log beside it proves that a name like `x.1` means a rotated file.
        found.left_alone["named like rotated files of logs that are not there"].append(path)


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
        return Log(replace(file, use=use_of(fd)), birth_time(fd), blank, stored)
    finally:
        os.close(fd)


def _in_use(folder: Folder, name: str, file: File) -> File:
    fd = folder.open(name)
    try:
        return replace(file, use=use_of(fd))
    finally:
        os.close(fd)


def _linked(names: Iterable[str], entries: Mapping[str, os.stat_result], facts: os.stat_result) -> str | None:
    taken = takewhile(lambda name: name in entries, names)
    return next((name for name in taken if _key(entries[name]) == _key(facts)), None)


def _key(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _name_writers(found: Scan) -> None:
    """Adds to logs in use who writes to them, as far as that can be seen."""
    written = {log.file.identity.key for log in found.logs if log.file.use != FREE}
    if not written:
        return
    named, _ = name_writers(written)
    found.logs = [
        replace(log, file=replace(log.file, use=named.get(log.file.identity.key, log.file.use))) for log in found.logs
    ]
