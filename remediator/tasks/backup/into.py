"""Where members are written: into the directory of a set, encrypted where the series says so."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.backups.manifest import SetFile
from exporter.base.units import format_bytes
from exporter.host.mounts import MOUNTINFO, parse_mountinfo
from remediator.model.task import TaskError
from remediator.tasks.backup.age import EncryptedSink
from remediator.tasks.backup.sink import CHUNK, SetSink, Sink, hashed

_MEMORY = Path("/dev/shm")  # noqa: S108 - the directory in it is a new one, for its owner only
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.M)
_MOST_OF_MEMORY = 0.5


@dataclass(frozen=True)
class Into:
    """root: the set's directory. recipients: file of those for whom age encrypts what is written; None: nothing is."""

    root: Path
    recipients: str | None = None

    @property
    def writes_files(self) -> bool:
        """Whether a program may write a file of the set itself, in ``root``."""
        return self.recipients is None

    def sink(self, path: str, source: str, stop: threading.Event) -> SetSink:
        """A new file of the set; encrypted, it has another name than this path."""
        if self.recipients is None:
            return Sink(self.root, path, source, stop)
        return EncryptedSink(self.root, path, source, stop, self.recipients)

    @contextmanager
    def whole_file(self, path: str, size: int) -> Iterator[Path]:
        """Where a program may write a file of about this size that has to be seekable; to be handed to ``taken``.

        In the set itself; where that is encrypted, in memory, so that plain text never touches the disk.
        """
        if self.recipients is None:
            target = self.root / path
            target.parent.mkdir(mode=0o700, exist_ok=True)
            yield target
        else:
            with in_memory(size) as directory:
                yield directory / Path(path).name

    def taken(self, target: Path, path: str, source: str, stop: threading.Event) -> SetFile:
        """That file as one of the set. Blocks."""
        if self.recipients is None:
            return hashed(self.root, path, source, stop)
        with target.open("rb", buffering=0) as file, self.sink(path, source, stop) as sink:
            while data := file.read(CHUNK):
                sink.write(data)
            return sink.done()


@contextmanager
def in_memory(size: int) -> Iterator[Path]:
    """A private directory in memory with room for so many bytes, empty afterwards. Blocks. Raises TaskError."""
    mounts = {each.mountpoint: each.fstype for each in parse_mountinfo(MOUNTINFO.read_bytes())}
    if mounts.get(bytes(_MEMORY)) != "tmpfs":
        raise TaskError(f"{_MEMORY} is no tmpfs here: a SQLite database of an encrypted set needs room in memory")
    at = os.statvfs(_MEMORY)
    available = _AVAILABLE.search(Path("/proc/meminfo").read_text())
    room = min(at.f_bavail * at.f_frsize, int(int(available[1]) * 1024 * _MOST_OF_MEMORY) if available else 0)
    if size > room:
        raise TaskError(
            f"a SQLite database of {format_bytes(size)} of an encrypted set needs as much memory meanwhile, and there "
            f"are {format_bytes(room)}: stop what writes to it and back it up as a volume or file"
        )
    with TemporaryDirectory(prefix="upkeeper-", dir=_MEMORY) as directory:
        yield Path(directory)
