"""The spot check: files of an archive, as many as the time allows, against what they are copies of.

Cheaper than a full proof: it ends when its time is over, and reads no program's dump. It finds what a checksum cannot:
that what was written into the set was not what the disk holds. A file whose source changed since says nothing.
"""

import hashlib
import os
import stat
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from exporter.backups.manifest import Manifest
from exporter.base.text import counted
from remediator.model.task import TaskError
from remediator.tasks.backup.sink import CHUNK, Stopped
from remediator.tasks.restoring.archive import opened_content
from remediator.tasks.restoring.checked import Damaged, SetFiles

SECONDS = 60.0
"""That one takes at most, beside the file that it is at."""
_SAME_SECONDS = 1e-5
_SAMPLE = 200
"""About so many files are compared of an archive, spread over all of it, if the time allows."""


@dataclass
class Spot:
    """What came of it."""

    same: int = 0
    changed: int = 0
    """Sources that are gone or have changed since."""
    wrong: str = ""
    """The first that differs though its source has not changed."""

    def __str__(self) -> str:
        since = f"; {self.changed} have changed since" if self.changed else ""
        return f"{counted(self.same, 'file')} as at their source{since}"


def spot_check(
    directory: Path,
    manifest: Manifest,
    identity: str | None,
    stop: threading.Event,
    chance: Callable[[], float],
    clock: Callable[[], float] = time.monotonic,
    seconds: float = SECONDS,
) -> Spot:
    """Compares files of the member ``files``. Blocks. Raises Damaged, TaskError, Stopped, OSError.

    identity: file of the key of an encrypted set. chance: numbers from 0 up to 1. clock: seconds.
    """
    found, end = Spot(), clock() + seconds
    content = SetFiles(directory, identity)
    entries = {file.path: file for file in manifest.files}
    archives = [(member, path) for member in manifest.members if member.kind == "files" for path in member.files]
    if not archives:
        raise TaskError(f"{directory.name} holds no files, which alone can be compared with their source")
    for member, path in archives:
        share = min(1.0, _SAMPLE / max(1, int(member.facts.get("entries", 1))))
        try:
            with opened_content(content, entries[path], stop) as opened, _stream(opened) as tar:
                for info in tar:
                    tar.members = []  # type: ignore[attr-defined] # it would keep all of them
                    if clock() > end or found.wrong:
                        return found
                    if info.isreg() and not info.issparse() and chance() < share:
                        _compare(tar, info, found, stop)
        except tarfile.TarError as error:
            raise Damaged(f"{path} is no tar that can be read: {error}") from None
    return found


def _stream(opened: object) -> tarfile.TarFile:
    return tarfile.open(fileobj=opened, mode="r|", encoding="utf-8", errors="surrogateescape")  # type: ignore[call-overload,no-any-return]


def _compare(tar: tarfile.TarFile, info: tarfile.TarInfo, found: Spot, stop: threading.Event) -> None:
    copy = tar.extractfile(info)
    assert copy is not None
    source = Path("/") / info.name
    try:
        with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            before = os.fstat(file.fileno())
            same_time = abs(before.st_mtime - _mtime(info)) < _SAME_SECONDS
            if not stat.S_ISREG(before.st_mode) or before.st_size != info.size or not same_time:
                found.changed += 1
                return
            ours, theirs = _digest(copy, stop), _digest(file, stop)
            after = os.fstat(file.fileno())
    except OSError:
        found.changed += 1
        return
    if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, before.st_size):
        found.changed += 1
    elif ours != theirs:
        found.wrong = f"{source} has another content than its copy, and has not been written to since"
    else:
        found.same += 1


def _mtime(info: tarfile.TarInfo) -> float:
    """With its fraction, which tar writes into an extended header."""
    return float(info.pax_headers.get("mtime", info.mtime))


def _digest(file: IO[bytes], stop: threading.Event) -> bytes:
    digest = hashlib.sha256()
    while data := file.read(CHUNK):
        if stop.is_set():
            raise Stopped
        digest.update(data)
    return digest.digest()
