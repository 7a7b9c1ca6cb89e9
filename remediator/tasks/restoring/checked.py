"""Files of a set, against the checksums of its manifest."""

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from exporter.backups.manifest import SetFile
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
        _require_content(file, entry, stop, None)


def copy(directory: Path, entry: SetFile, target: Path, stop: threading.Event) -> None:
    """Copies a file of a set to a new one, for its owner only, on disk at the end; checked while it is read.

    Blocks. Raises Damaged, OSError, Stopped; then what is there of the copy is no copy.
    """
    with opened(directory, entry) as file:
        sink = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _require_content(file, entry, stop, sink)
            os.fsync(sink)
        finally:
            os.close(sink)


def _require_content(file: IO[bytes], entry: SetFile, stop: threading.Event, sink: int | None) -> None:
    digest = hashlib.sha256()
    while data := file.read(CHUNK):
        if stop.is_set():
            raise Stopped
        digest.update(data)
        view = memoryview(data)
        while sink is not None and view:
            view = view[os.write(sink, view) :]
    if digest.hexdigest() != entry.sha256:
        raise Damaged(f"{entry.path} has another content")
