"""Safe file work below a configured directory, from a handle that is opened once.

Every path component is opened relative to the handle of its parent and no symbolic link is followed, so nothing that
is swapped in later can lead the work elsewhere. Nothing is entered that lies on another file system or that something
is mounted on. What is acted upon must still be what the plan saw, by its ``Identity``.

File names are bytes. Inside, they are Python's ``str`` with surrogate escapes; in records they are percent-encoded
(``encode_path``), which is ASCII, legible and exact; for people, ``printable`` shows them.
"""

import errno
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

from exporter.text import printable
from remediator import linux
from remediator.tasks import TaskError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that was swapped in must not wait for its other end.
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*")
_BLOCK = 512
"""``st_blocks`` counts in these, whatever the file system's own block size: stat(2)."""


class Changed(Exception):
    """The object is gone or is not what the plan saw, so it is left alone. The message says what it is now."""


class Identity(NamedTuple):
    """What a file was when the plan saw it: the same numbers mean the same, unchanged file."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Self:
        return cls(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)

    @classmethod
    def parse(cls, token: str) -> Self:
        """The reverse of ``str``. Raises ValueError for anything else."""
        device, inode, size, mtime_ns = map(int, token.split(":"))
        return cls(device, inode, size, mtime_ns)

    def __str__(self) -> str:
        return f"{self.device}:{self.inode}:{self.size}:{self.mtime_ns}"

    @property
    def key(self) -> tuple[int, int]:
        """Names the file itself, whatever its names and content are."""
        return self.device, self.inode

    def check(self, facts: os.stat_result | None, *, may_grow: bool = False) -> None:
        """Raises Changed unless this is the same file, unchanged, or only grown where the work allows for that."""
        if facts is None:
            raise Changed("gone")
        if (facts.st_dev, facts.st_ino) != self.key:
            raise Changed("another file by now")
        if may_grow and facts.st_size < self.size:
            raise Changed("truncated since the plan")
        if not may_grow and (facts.st_size, facts.st_mtime_ns) != self[2:]:
            raise Changed("changed since the plan")


class Folder:
    """An open directory at or below a root. Use it in a ``with`` block."""

    def __init__(self, fd: int, path: str, device: int) -> None:
        self.fd = fd
        self.path = path
        """Relative to the root; empty for the root itself."""
        self.device = device

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    @property
    def token(self) -> str:
        """Says which directory this is, to find out later whether a path still leads to it."""
        return f"{self.device}:{os.fstat(self.fd).st_ino}"

    def join(self, name: str) -> str:
        """The path of one of its entries, relative to the root."""
        return f"{self.path}/{name}" if self.path else name

    def entries(self) -> list[tuple[str, os.stat_result]]:
        """Names with their facts, no link followed. An entry that vanishes meanwhile is left out."""
        found = []
        with os.scandir(self.fd) as listing:
            for entry in listing:
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
        return found

    def names(self) -> list[str]:
        """Names of all entries."""
        with os.scandir(self.fd) as listing:
            return [entry.name for entry in listing]

    def stat(self, name: str) -> os.stat_result | None:
        """Facts of the entry itself, not of what a link leads to; None if there is none."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def folder(self, name: str) -> "Folder":
        """A directory in this one. Raises Changed if it is a link, gone, or on another mount."""
        try:
            fd = os.open(name, _DIRECTORY, dir_fd=self.fd)
        except (NotADirectoryError, FileNotFoundError) as error:
            raise Changed("a symbolic link, or no directory") from error
        try:
            self._check_mount(fd)
        except BaseException:
            os.close(fd)
            raise
        return Folder(fd, self.join(name), self.device)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of a regular file in this directory. Raises Changed if the name is anything else."""
        facts = self.stat(name)
        if facts is None:
            raise Changed("gone")
        if not stat.S_ISREG(facts.st_mode):
            raise Changed("not a regular file")
        fd = os.open(name, flags | _FILE, dir_fd=self.fd)
        try:
            if not os.path.samestat(os.fstat(fd), facts):
                raise Changed("another file by now")
            self._check_mount(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _check_mount(self, fd: int) -> None:
        if os.fstat(fd).st_dev != self.device or linux.is_mount_root(fd):
            raise Changed("a mount of its own")

    def create(self, name: str) -> int:
        """A new empty file for reading and writing, readable by its owner only; one of this name is replaced."""
        self.discard(name)
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=self.fd)

    def discard(self, name: str) -> None:
        """Removes a file if it is there."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return

    def link(self, name: str, wanted: Iterable[str], fd: int | None = None) -> str:
        """Gives a file a second name: the first of those wanted that is free. Never replaces anything.

        fd: the file, open, that ``name`` must still be. Raises Changed if another one has that name by now.
        """
        for candidate in wanted:
            try:
                os.link(name, candidate, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
            except FileExistsError:
                continue
            given = self.stat(candidate)
            if fd is not None and given is not None and not os.path.samestat(given, os.fstat(fd)):
                if given.st_nlink > 1:
                    self.discard(candidate)
                raise Changed("another program works under the same temporary name")
            return candidate
        raise TaskError(f"every name for {printable(self.join(name))} is taken")

    def find(self, wanted: Iterable[str], key: tuple[int, int]) -> str | None:
        """Under which of the names a file, by its ``Identity.key``, is found; looks as far as the first free name."""
        for candidate in wanted:
            found = self.stat(candidate)
            if found is None:
                return None
            if Identity.of(found).key == key:
                return candidate
        return None

    def sync(self) -> None:
        """Makes names given and taken so far last through a power failure."""
        os.fsync(self.fd)


def open_root(path: str) -> Folder:
    """The handle that all work below a configured directory starts from.

    Links among its parents are followed, for that is how the administrator may have laid out the machine; a link in
    its last component is not. Raises TaskError.
    """
    try:
        fd = os.open(path, _DIRECTORY)
    except OSError as error:
        if Path(path).is_symlink():
            raise TaskError(f"{path} is a symbolic link; configure the directory that it leads to") from error
        raise TaskError(f"cannot open {path}: {error.strerror}") from error
    return Folder(fd, "", os.fstat(fd).st_dev)


def open_below(root: Folder, path: str) -> Folder:
    """The directory at a relative path below the root; its own handle, also for the root itself. Raises Changed."""
    folder = Folder(os.dup(root.fd), "", root.device)
    for name in path.split("/") if path else ():
        with folder as parent:
            folder = parent.folder(name)
    return folder


def allocated(facts: os.stat_result) -> int:
    """Bytes that the file takes on its file system."""
    return facts.st_blocks * _BLOCK


def copy_attributes(source: int, sink: int, *, times: bool = True) -> None:
    """Gives one open file the owner, mode, extended attributes (ACLs and labels among them) and times of another.

    Raises OSError where the process may not, for example give a file to another owner.
    """
    facts, own = os.fstat(source), os.fstat(sink)
    if (facts.st_uid, facts.st_gid) != (own.st_uid, own.st_gid):
        os.fchown(sink, facts.st_uid, facts.st_gid)
    os.fchmod(sink, stat.S_IMODE(facts.st_mode))
    for name in _attributes(source):
        value = os.getxattr(source, name)
        if name not in _attributes(sink) or os.getxattr(sink, name) != value:
            os.setxattr(sink, name, value)
    if times:
        os.utime(sink, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _attributes(fd: int) -> list[str]:
    """Names of the extended attributes; none where the file system has none."""
    try:
        return os.listxattr(fd)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return []
        raise


def encode_path(path: str) -> str:
    """A relative path for records: its bytes, percent-encoded."""
    if _PLAIN.fullmatch(path):
        return path  # as it is, a hundred thousand times
    return quote_from_bytes(os.fsencode(path), safe="/")


def decode_path(text: str) -> str:
    """The reverse of ``encode_path``. Raises ValueError for a path that could lead out of the root."""
    path = os.fsdecode(unquote_to_bytes(text)) if "%" in text else text
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{text!r} is no plain relative path")
    return path
