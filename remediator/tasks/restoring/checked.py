"""Files of a set, against the checksums of its manifest."""

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from exporter.backups.manifest import ENCRYPTED_SUFFIX, SetFile
from remediator.tasks.backup.age import Readable, Undecryptable, plain, plain_pipe
from remediator.tasks.backup.sink import CHUNK, Stopped

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Damaged(Exception):
    """A file of a set is not what was written. The message says which, and what is wrong, on one line."""


@contextmanager
def opened(directory: Path, entry: SetFile) -> Iterator[IO[bytes]]:
    """A file of a set, no link followed on the way, of the size that it should have. Raises Damaged."""
    folders: list[int] = []
    *parents, name = entry.path.split("/")
    try:
        try:
            folders.append(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for parent in parents:
                folders.append(os.open(parent, _FOLDER, dir_fd=folders[-1]))
            file = open(os.open(name, _OPEN, dir_fd=folders[-1]), "rb", buffering=0)  # noqa: SIM115 - closed below
        except FileNotFoundError:
            raise Damaged(f"{entry.path} is missing") from None
        except OSError as error:
            raise Damaged(f"{entry.path} cannot be read: {error.strerror or error}") from None
    finally:
        for folder in folders:
            os.close(folder)
    with file:
        at = os.fstat(file.fileno())
        if not stat.S_ISREG(at.st_mode):
            raise Damaged(f"{entry.path} is no file any more")
        if at.st_size != entry.bytes:
            raise Damaged(f"{entry.path} has {at.st_size} bytes instead of {entry.bytes}")
        yield file


def check(directory: Path, entry: SetFile, stop: threading.Event) -> None:
    """Reads a file to its end. Blocks. Raises Damaged, OSError, Stopped."""
    with opened(directory, entry) as file:
        hashed = _Hashed(file, entry, stop)
        while hashed.read(CHUNK):
            pass


@dataclass(frozen=True)
class SetFiles:
    """The files of a set. identity: file of the key of those that are encrypted, where it is known."""

    directory: Path
    identity: str | None = None

    @contextmanager
    def content(self, entry: SetFile, stop: threading.Event) -> Iterator[Readable]:
        """What a file holds, decrypted where it is encrypted. Raises Damaged, TaskError, OSError, Stopped.

        Read to its end, it is as it was written: by the manifest's checksum, or by age's own of what is encrypted.
        """
        with opened(self.directory, entry) as file:
            if not is_encrypted(entry):
                yield _Hashed(file, entry, stop)
                return
        with plain(self.directory, entry.path, self.identity, stop) as decrypted:
            yield _Undamaged(decrypted)

    @contextmanager
    def for_program(self, entry: SetFile, stop: threading.Event) -> Iterator[IO[bytes]]:
        """The same as what another program reads, which cannot tell whether it is as it was written: check it first."""
        if not is_encrypted(entry):
            with opened(self.directory, entry) as file:
                yield file
            return
        try:
            with plain_pipe(self.directory, entry.path, self.identity, stop) as pipe:
                yield pipe
        except Undecryptable as error:
            raise Damaged(str(error)) from None


def is_encrypted(entry: SetFile) -> bool:
    return entry.path.endswith(ENCRYPTED_SUFFIX)


class _Hashed:
    def __init__(self, file: IO[bytes], entry: SetFile, stop: threading.Event) -> None:
        self._file, self._entry, self._stop = file, entry, stop
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        data = self._file.read(size)
        self._hash.update(data)
        if not data and self._hash.hexdigest() != self._entry.sha256:
            raise Damaged(f"{self._entry.path} has another content")
        return data


class _Undamaged:
    def __init__(self, file: Readable) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except Undecryptable as error:
            raise Damaged(str(error)) from None


def copy(files: SetFiles, entry: SetFile, target: Path, stop: threading.Event) -> None:
    """Copies what a file of a set holds to a new one, for its owner only, on disk at the end.

    Blocks. Raises Damaged, TaskError, OSError, Stopped; then what is there of the copy is no copy.
    """
    with files.content(entry, stop) as content:
        sink = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            while data := content.read(CHUNK):
                view = memoryview(data)
                while view:
                    view = view[os.write(sink, view) :]
            os.fsync(sink)
        finally:
            os.close(sink)
