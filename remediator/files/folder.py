"""Safe file work below a configured directory, from a handle that is opened once.

Every path component is opened relative to the handle of its parent and no symbolic link is followed, so nothing that
is swapped in later can lead the work elsewhere. Nothing is entered that lies on another file system or that something
is mounted on. What is acted upon must still be what the plan saw, by its ``Identity``.

File names are bytes. Inside, they are Python's ``str`` with surrogate escapes; in records they are percent-encoded
(``encode_path``), which is ASCII, legible and exact; for people, ``printable`` shows them.
"""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

from exporter.base.samemount import OneMount
from exporter.base.text import printable
from remediator.files import linux
from remediator.model.task import TaskError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that was swapped in must not wait for its other end.
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""link(2) on a file system without them; FUSE passes on what its server says."""
_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*")
BLOCK_BYTES = 512
"""``st_blocks`` counts in these, whatever the file system's own block size: stat(2)."""


class Changed(Exception):
    """The object is gone or is not what the plan saw, so it is left alone. The message says what it is now."""


class NoHardLinks(OSError):
    """A file cannot have a second name here: exFAT, many network and FUSE file systems have no hard links."""


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

    def __init__(self, fd: int, path: str, mount: OneMount) -> None:
        self.fd = fd
        self.path = path
        """Relative to the root; empty for the root itself."""
        self.mount = mount

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    @property
    def token(self) -> str:
        """Says which directory this is, to find out later whether a path still leads to it."""
        facts = os.fstat(self.fd)
        return f"{facts.st_dev}:{facts.st_ino}"

    @property
    def read_only(self) -> bool:
        """Whether this process may not make, rename or remove files in it, as in a read-only snapshot."""
        return not os.access(".", os.W_OK | os.X_OK, dir_fd=self.fd, effective_ids=True)

    def join(self, name: str) -> str:
        """The path of one of its entries, relative to the root."""
        return f"{self.path}/{name}" if self.path else name

    def names(self) -> list[str]:
        """Names of all entries."""
        with os.scandir(self.fd) as listing:
            return [entry.name for entry in listing]

    def links_and_directories(self) -> tuple[list[str], list[str]]:
        """Names of the symbolic links and of the directories among them."""
        links, directories = [], []
        with os.scandir(self.fd) as listing:
            for entry in listing:
                if entry.is_symlink():
                    links.append(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    directories.append(entry.name)
        return links, directories

    def led_to(self, links: Iterable[str]) -> set[tuple[int, int]]:
        """What these symbolic links lead to, by ``Identity.key``."""
        keys = set()
        for name in links:
            with contextlib.suppress(OSError):  # it leads nowhere, or where this process may not look
                facts = os.stat(name, dir_fd=self.fd)
                keys.add((facts.st_dev, facts.st_ino))
        return keys

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
        return Folder(fd, self.join(name), self.mount)

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
        if not self.mount.holds(fd):
            raise Changed("a mount of its own")

    def create(self, name: str) -> int:
        """A new empty file for reading and writing, readable by its owner only; one of this name is replaced."""
        self.discard(name)
        return self.create_new(name)

    def create_new(self, name: str) -> int:
        """The same, where nothing has this name. Raises FileExistsError."""
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=self.fd)

    def discard(self, name: str) -> None:
        """Removes a file if it is there."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return

    def take_away(self, name: str, key: tuple[int, int], temporary: str) -> None:
        """Removes the file of this ``Identity.key`` and no other that has been put in its place.

        It is renamed first: to look at a name and to remove what has it are two steps, between which another program
        may exchange the files. temporary: a name that nobody else uses. Raises Changed, FileNotFoundError, OSError.
        """
        try:
            if not linux.rename_to_free(self.fd, name, temporary):
                temporary = name  # not supported here
        except FileExistsError:
            raise Changed("another program works under the same temporary name") from None
        moved = self.stat(temporary)
        if moved is None or (moved.st_dev, moved.st_ino) != key:
            if temporary != name:
                with contextlib.suppress(OSError):  # where its name was taken, it keeps the temporary one
                    linux.rename_to_free(self.fd, temporary, name)
            raise Changed("another file by now")
        os.unlink(temporary, dir_fd=self.fd)

    def finish_taking_away(self, temporary: str, inode: int) -> os.stat_result | None:
        """Removes what a try that was killed has renamed; what that was, None if there is no such thing."""
        facts = self.stat(temporary)
        if facts is None or facts.st_ino != inode:
            return None
        os.unlink(temporary, dir_fd=self.fd)
        return facts

    def link(self, name: str, wanted: Iterable[str], fd: int | None = None) -> str:
        """Gives a file a second name: the first of those wanted that is free. Never replaces anything.

        fd: the file, open, that ``name`` must still be. Raises Changed if another one has that name by now,
        NoHardLinks, and TaskError where every name is taken.
        """
        for candidate in wanted:
            try:
                os.link(name, candidate, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno in _NO_HARD_LINKS:
                    raise NoHardLinks(error.errno, error.strerror) from error
                raise
            given = self.stat(candidate)
            if fd is not None and given is not None and not os.path.samestat(given, os.fstat(fd)):
                if given.st_nlink > 1:
                    self.discard(candidate)
                raise Changed("another program works under the same temporary name")
            return candidate
        raise TaskError(f"every name for {printable(self.join(name))} is taken")

    def give(self, name: str, wanted: Callable[[], Iterable[str]], fd: int | None = None) -> str:
        """Gives a file a second name or, where the file system has no hard links, another one, as ``link`` does."""
        try:
            return self.link(name, wanted(), fd)
        except NoHardLinks:
            return self.move(name, wanted())

    def move(self, name: str, wanted: Iterable[str], announce: Callable[[str], None] | None = None) -> str:
        """Renames a file to the first of those names that is free.

        announce: is told each name before the file gets it, if it then is still free.
        Where the system cannot rename to free names only, what is replaced is an empty file that was made here as a
        proof that the name was free, now or by a try that was killed: no byte is lost. So this is for names that no
        other program opens.
        """
        for candidate in wanted:
            taken = self.stat(candidate)
            if taken is not None and (not stat.S_ISREG(taken.st_mode) or taken.st_size):
                continue
            if announce is not None:
                announce(candidate)
            try:
                if taken is None and linux.rename_to_free(self.fd, name, candidate):
                    return candidate
            except FileExistsError:
                continue
            try:
                os.close(self.create_new(candidate))
            except FileExistsError:
                taken = self.stat(candidate)
                if taken is None or not stat.S_ISREG(taken.st_mode) or taken.st_size:
                    continue
            os.rename(name, candidate, src_dir_fd=self.fd, dst_dir_fd=self.fd)
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
    return Folder(fd, "", OneMount.of(fd))


def open_below(root: Folder, path: str) -> Folder:
    """The directory at a relative path below the root; its own handle, also for the root itself. Raises Changed."""
    folder = Folder(os.dup(root.fd), "", root.mount)
    for name in path.split("/") if path else ():
        with folder as parent:
            folder = parent.folder(name)
    return folder


def allocated(facts: os.stat_result) -> int:
    """Bytes that the file takes on its file system."""
    return facts.st_blocks * BLOCK_BYTES


def is_plain(text: str) -> bool:
    """Whether ``encode_path`` leaves this text as it is."""
    return _PLAIN.fullmatch(text) is not None


def encode_path(path: str) -> str:
    """A relative path for records: its bytes, percent-encoded."""
    if is_plain(path):
        return path
    return quote_from_bytes(os.fsencode(path), safe="/")


def decode_path(text: str) -> str:
    """The reverse of ``encode_path``. Raises ValueError for a path that could lead out of the root."""
    path = os.fsdecode(unquote_to_bytes(text)) if "%" in text else text
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{text!r} is no plain relative path")
    return path
