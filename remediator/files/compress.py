"""Copies of growing files, compressed as gzip or plain, that are proven on disk before anything relies on them.

gzip output is a series of members (RFC 1952, section 2.2), one for each MiB, so that libdeflate packs them on several
cores at once; ``zcat``, ``zgrep`` and every complete gzip reader take them for one file. Level 5 is where libdeflate
is both smaller and several times faster than ``gzip -6`` on logs: see bench/rotation.py.
"""

import errno
import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Protocol, TypeVar

import deflate

from remediator.files.folder import Changed
from remediator.model.task import TaskError
from remediator.progress import Counter

CHUNK = 1024 * 1024
"""Bytes that become one gzip member; memory use is a few of these for each core."""

_LEVEL = 5
_READ = 16 * 1024
"""Read at a time of what unpacks to a thousand times as much at the most."""
_ZEROS_PACK_TO = 1000
"""Zeros take so many times less when compressed: DEFLATE cannot do better than 1032, RFC 1951."""
_NICENESS = 10
_T = TypeVar("_T")


class Stopped(Exception):
    """The work was told to stop, and left everything as it was."""


class Copy(AbstractContextManager["Copy"], Protocol):
    """A copy under way of (part of) one file into another, both given by open descriptors."""

    def append(self, start: int, end: int) -> None:
        """Adds these bytes of the source, holes in it as zeros. Raises Changed, Stopped, OSError."""

    def prove(self) -> None:
        """Reads back what was added. Raises TaskError if it is not what was read from the source."""

    def settle(self) -> None:
        """Brings the copy to disk, and proves it."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """One gzip member, and what it unpacks to."""

    data: bytes | bytearray
    length: int
    crc: int


@dataclass(frozen=True, slots=True)
class _Member:
    """One gzip member on disk."""

    offset: int
    packed: int
    length: int
    crc: int


class GzipCopy(Copy):
    """A gzip copy, packed on every core that this process may use, at low priority."""

    def __init__(self, source: int, sink: int, stop: threading.Event) -> None:
        self._source, self._sink, self._stop = source, sink, stop
        self._position = os.lseek(sink, 0, os.SEEK_END)
        self._unproven: list[_Member] = []
        self._workers = len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._workers, "compress", initializer=_give_way)

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def append(self, start: int, end: int) -> None:
        jobs = (
            (lambda length=length: _pack_zeros(length))
            if hole
            else (lambda at=at, length=length: _pack(self._source, at, length))
            for at, length, hole in pieces(self._source, start, end)
        )
        counter = Counter(end - start)
        for packed in self._in_order(jobs):
            self._add(packed)
            counter.add(packed.length)
        _check_length(self._source, end)

    def _add(self, packed: _Packed) -> None:
        _write_all(self._sink, packed.data, self._position)
        self._unproven.append(_Member(self._position, len(packed.data), packed.length, packed.crc))
        self._position += len(packed.data)

    def settle(self) -> None:
        if not self._position:
            self._add(_pack_zeros(0))  # no bytes at all are no gzip file
        # The cores prove while the disk writes.
        self._prove_beside([lambda: os.fsync(self._sink)])

    def prove(self) -> None:
        self._prove_beside([])

    def _prove_beside(self, jobs: Sequence[Callable[[], None]]) -> None:
        proofs = (lambda member=member: _prove(self._sink, member) for member in self._unproven)
        for _ in self._in_order(chain(jobs, proofs)):
            pass
        self._unproven.clear()

    def _in_order(self, jobs: Iterator[Callable[[], _T]]) -> Iterator[_T]:
        """Results of the jobs in their order, a few jobs ahead at a time. A single job is done right here."""
        first = next(jobs, None)
        second = next(jobs, None)
        if first is None:
            return
        if second is None:
            self._check_stop()
            yield first()
            return
        pending: deque[Future[_T]] = deque([self._pool.submit(first), self._pool.submit(second)])
        for job in jobs:
            if len(pending) > 2 * self._workers:
                yield pending.popleft().result()
            self._check_stop()
            pending.append(self._pool.submit(job))
        while pending:
            self._check_stop()
            yield pending.popleft().result()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped


class PlainCopy(Copy):
    """A copy as it is, by the kernel, which shares the blocks where the file system can."""

    def __init__(self, source: int, sink: int, stop: threading.Event) -> None:
        self._source, self._sink, self._stop = source, sink, stop
        self._position = os.lseek(sink, 0, os.SEEK_END)

    def __exit__(self, *_: object) -> None:
        return

    def append(self, start: int, end: int) -> None:
        to, counter = self._position - start, Counter(end - start)
        for at, length in chunks(self._source, start, end, 64 * CHUNK):
            if self._stop.is_set():
                raise Stopped
            counter.add(length)
            while length:
                copied = os.copy_file_range(self._source, self._sink, length, at, at + to)
                if copied == 0:
                    raise Changed("truncated while it was copied")
                at, length = at + copied, length - copied
        _check_length(self._source, end)
        self._position = end + to
        if os.fstat(self._sink).st_size < self._position:
            os.ftruncate(self._sink, self._position)  # it ends in a hole

    def settle(self) -> None:
        os.fsync(self._sink)
        self.prove()

    def prove(self) -> None:
        if os.fstat(self._sink).st_size != self._position:
            raise TaskError("the copy is not as long as what was copied; nothing was removed")


def chunks(fd: int, start: int, end: int, size: int = CHUNK) -> Iterator[tuple[int, int]]:
    """(offset, length) of the stored data between two offsets of a file, holes left out, each ``size`` at most.

    Writers that do not append leave a hole of zeros, of any size, where a file was cut: lseek(2), SEEK_DATA.
    """
    position = start
    while position < end:
        try:
            position = os.lseek(fd, position, os.SEEK_DATA)
            edge = min(os.lseek(fd, position, os.SEEK_HOLE), end) if position < end else end
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # nothing but a hole from here to the end, or truncated just now
            raise
        while position < edge:
            length = min(size, edge - position)
            yield position, length
            position += length


def pieces(fd: int, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """(offset, length, whether it is a hole) of everything between two offsets of a file, ``CHUNK`` at most."""
    position = start
    for at, length in chain(chunks(fd, start, end), [(end, 0)]):
        while position < at:
            hole = min(CHUNK, at - position)
            yield position, hole, True
            position += hole
        if length:
            yield at, length, False
            position += length


def mostly_holes(fd: int) -> bool:
    """Whether a file takes less on disk than the zeros of its holes would when compressed."""
    size = os.fstat(fd).st_size
    stored = sum(length for _, length in chunks(fd, 0, size))
    return (size - stored) / _ZEROS_PACK_TO > stored + CHUNK


def read(fd: int, offset: int, length: int) -> bytes:
    """Exactly these bytes of a file. Raises Changed where it is too short for that."""
    parts = []
    while length:
        part = os.pread(fd, length, offset)
        if not part:
            raise Changed("truncated while it was copied")
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def unpacked(fd: int, *, compressed: bool) -> Iterator[bytes]:
    """The content of a copy in pieces. Raises ValueError for a compressed one that is damaged or incomplete."""
    stream = None
    for at in range(0, os.fstat(fd).st_size, _READ):
        data = os.pread(fd, _READ, at)
        while data:
            if not compressed:
                piece, data = data, b""
            else:
                stream = stream or zlib.decompressobj(wbits=31)
                try:
                    piece = stream.decompress(data)
                except zlib.error as error:
                    raise ValueError("the compressed copy is damaged") from error
                data = stream.unused_data
                stream = None if stream.eof else stream
            if piece:
                yield piece
    if stream is not None:
        raise ValueError("the compressed copy is incomplete")


def where_it_ends(source: int, sink: int, *, compressed: bool) -> int | None:
    """Where in the source the content of its copy ends; None if the source begins otherwise.

    Raises ValueError for an incomplete copy.
    """
    at = 0
    for piece in unpacked(sink, compressed=compressed):
        if os.pread(source, len(piece), at) != piece:
            return None
        at += len(piece)
    return at


def _check_length(source: int, end: int) -> None:
    if os.fstat(source).st_size < end:
        raise Changed("truncated while it was copied")


def _give_way() -> None:
    """Lowers the priority of this thread alone, which Linux allows: setpriority(2)."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS))


def _pack(source: int, offset: int, length: int) -> _Packed:
    data = read(source, offset, length)
    return _Packed(deflate.gzip_compress(data, _LEVEL), length, deflate.crc32(data))


@lru_cache(maxsize=2)
def _pack_zeros(length: int) -> _Packed:
    """What stands for a hole. Holes can be larger than any disk, and all but their last member are alike."""
    data = bytes(length)
    return _Packed(bytes(deflate.gzip_compress(data, _LEVEL)), length, deflate.crc32(data))


def _prove(sink: int, member: _Member) -> None:
    """Raises TaskError unless the member on disk unpacks to what was read from the source."""
    try:
        data = deflate.gzip_decompress(read(sink, member.offset, member.packed), member.length)
    except (deflate.DeflateError, Changed) as error:
        raise TaskError("the compressed copy does not read back; nothing was removed") from error
    if len(data) != member.length or deflate.crc32(data) != member.crc:
        raise TaskError("the compressed copy differs from its source; nothing was removed")


def _write_all(fd: int, data: bytes | bytearray, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest, offset = rest[written:], offset + written
