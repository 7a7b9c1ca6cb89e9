"""One file of a set: written once, hashed while it is written, on disk when it is closed. Memory use is flat."""

import hashlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from exporter.backups.manifest import SetFile
from exporter.base.errors import UpkeeperError

CHUNK = 1024 * 1024
_LEVEL = 3
_JOB_BYTES = 512 * 1024
"""What each thread of zstd takes at once: left to itself it takes 8 MiB, and holds several copies of that."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Stopped(UpkeeperError):
    """The work was told to stop."""

    def __init__(self) -> None:
        super().__init__("stopped before it was done")


class Writes(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes) -> None: ...


class SetSink(Writes, Protocol):
    """A file of a set that is being written; closed by the end of its block."""

    def done(self) -> SetFile:
        """Brings it to where it stays, and says what it is."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sink:
    """A new file below a set's directory; one of the same path, which a crash left behind, is written anew.

    Every method but ``close`` raises OSError, and Stopped once ``stop`` is set.
    """

    def __init__(self, root: Path, path: str, source: str, stop: threading.Event) -> None:
        self._path = path
        self._source = source
        self._stop = stop
        self._hash = hashlib.sha256()
        self._bytes = 0
        file = root / path
        private_folder(root, Path(path).parent)
        self._fd = os.open(file, _NEW, 0o600)

    def write(self, data: bytes) -> None:
        if self._stop.is_set():
            raise Stopped
        self._hash.update(data)
        self._bytes += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def done(self) -> SetFile:
        """Brings it to disk, and says what it is."""
        os.fsync(self._fd)
        return SetFile(self._path, self._bytes, self._hash.hexdigest(), self._source)

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Compressed:
    """Compresses with zstd what is written, one frame with a checksum of its content. ``finish`` ends it."""

    def __init__(self, sink: Writes, level: int = _LEVEL, threads: int = 0) -> None:
        import zstandard  # not needed to list tasks

        self._sink = sink
        job = _JOB_BYTES if threads else 0
        chosen = zstandard.ZstdCompressionParameters.from_level(
            level, threads=threads, job_size=job, write_checksum=True
        )
        self._frame = zstandard.ZstdCompressor(compression_params=chosen).compressobj()

    def write(self, data: bytes) -> None:
        packed = self._frame.compress(data)
        if packed:
            self._sink.write(packed)

    def finish(self) -> None:
        self._sink.write(self._frame.flush())


def private_folder(root: Path, below: Path) -> None:
    """Makes a directory below another, and those between, for their owner only. Blocks. Raises OSError."""
    at = root
    for part in below.parts:
        at = at / part
        at.mkdir(mode=0o700, exist_ok=True)


def hashed(root: Path, path: str, source: str, stop: threading.Event) -> SetFile:
    """A file that another program wrote into the set, brought to disk and hashed. Blocks. Raises OSError, Stopped."""
    digest, size = hashlib.sha256(), 0
    with open(os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0) as file:
        os.fsync(file.fileno())
        while data := file.read(CHUNK):
            if stop.is_set():
                raise Stopped
            digest.update(data)
            size += len(data)
    return SetFile(path, size, digest.hexdigest(), source)
