"""The proof ``checksums``: the files of a set are those of its manifest, no more and no fewer, byte for byte."""

import hashlib
import os
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exporter.backups.manifest import Manifest, SetFile
from exporter.backups.proofs import PROOFS
from exporter.inventory.backups import MANIFEST
from remediator.progress import Counter
from remediator.tasks.backup.sink import CHUNK, Stopped

_BESIDE = re.compile(rf"{re.escape(MANIFEST)}|{re.escape(PROOFS)}|\.{re.escape(PROOFS)}\..*\.tmp")
"""What is not in a manifest: itself, the proofs, and what a crash left of proofs that were being written."""
_MOST_WORKERS = 4
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def differences(directory: Path, manifest: Manifest, stop: threading.Event) -> list[str]:
    """What is not as the manifest says, each for people; nothing where all is. Blocks. Raises Stopped.

    Files are hashed on several cores, from a buffer each. A file that cannot be read differs.
    """
    wanted = {file.path: file for file in manifest.files}
    found: list[str] = []
    for path, at in _present(directory):
        if path not in wanted and not _BESIDE.fullmatch(path):
            found.append(f"{path} is not in the manifest")
        elif path in wanted and not stat.S_ISREG(at.st_mode):
            found.append(f"{path} is no file any more")
            del wanted[path]
    read = Counter(sum(file.bytes for file in wanted.values()), doing="checksums")
    with ThreadPoolExecutor(min(_MOST_WORKERS, len(os.sched_getaffinity(0)))) as workers:
        found += filter(None, workers.map(lambda file: _difference(directory, file, stop, read), wanted.values()))
    if stop.is_set():
        raise Stopped
    return found


def _present(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Paths below a set of everything in it that is no directory."""
    for at, folders, names in os.walk(directory):
        for name in (*names, *(each for each in folders if (Path(at) / each).is_symlink())):
            file = Path(at) / name
            yield os.fspath(file.relative_to(directory)), file.lstat()


def _difference(directory: Path, file: SetFile, stop: threading.Event, read: Counter) -> str | None:
    try:
        with open(os.open(directory / file.path, _OPEN), "rb", buffering=0) as opened:
            size = os.fstat(opened.fileno()).st_size
            if size != file.bytes:
                return f"{file.path} has {size} bytes instead of {file.bytes}"
            digest, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK))
            while count := opened.readinto(buffer):
                digest.update(buffer[:count])
                read.add(count)
                if stop.is_set():
                    return None
    except FileNotFoundError:
        return f"{file.path} is missing"
    except OSError as error:
        return f"{file.path} cannot be read: {error.strerror or error}"
    return None if digest.hexdigest() == file.sha256 else f"{file.path} has another content"


def summary(found: Sequence[str]) -> str:
    """Differences on one line: the first ones, and how many more there are."""
    more = len(found) - 3
    return "; ".join(found[:3]) + (f"; and {more} more" if more > 0 else "")
