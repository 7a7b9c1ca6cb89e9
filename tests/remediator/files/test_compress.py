"""gzip and plain copies."""

import gzip
import os
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.loglines import STYLES, content
from remediator.files.compress import CHUNK, Copy, GzipCopy, PlainCopy, Stopped, chunks, unpacked
from remediator.files.folder import Changed
from remediator.model.task import TaskError

MIB = 1024 * 1024


class Files:
    """A source and a sink, open."""

    def __init__(self, directory: Path, data: bytes) -> None:
        self.source_path, self.sink_path = directory / "source", directory / "sink"
        self.source_path.write_bytes(data)
        self.source = os.open(self.source_path, os.O_RDWR)
        self.sink = os.open(self.sink_path, os.O_RDWR | os.O_CREAT)
        self.stop = threading.Event()

    def copy(self, kind: type[GzipCopy] | type[PlainCopy]) -> Copy:
        return kind(self.source, self.sink, self.stop)

    def close(self) -> None:
        os.close(self.source)
        os.close(self.sink)


@pytest.fixture(scope="module")
def log() -> bytes:
    return content("text", 3 * MIB)


@pytest.fixture
def files(tmp_path: Path, log: bytes) -> Iterator[Files]:
    opened = Files(tmp_path, log)
    yield opened
    opened.close()


@pytest.mark.parametrize("size", [1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 12345])
def test_gzip_copies_unpack_to_the_source(tmp_path: Path, size: int) -> None:
    data = (content("json", size) + b"x")[:size]
    files = Files(tmp_path, data)
    with files.copy(GzipCopy) as copy:
        copy.append(0, size)
        copy.settle()
    assert gzip.decompress(files.sink_path.read_bytes()) == data
    assert b"".join(unpacked(files.sink, compressed=True)) == data
    files.close()


def test_what_was_written_meanwhile_is_appended(files: Files) -> None:
    before = os.fstat(files.source).st_size
    with files.copy(GzipCopy) as copy:
        copy.append(0, before)
        copy.settle()
        os.pwrite(files.source, b"a line more\n", before)
        copy.append(before, before + 12)
        copy.settle()
    # A second one goes on where the first ended.
    os.pwrite(files.source, b"and more\n", before + 12)
    with files.copy(GzipCopy) as copy:
        copy.append(before + 12, before + 21)
        copy.settle()
    assert gzip.decompress(files.sink_path.read_bytes()) == files.source_path.read_bytes()


@pytest.mark.parametrize("style", STYLES)
def test_logs_become_no_larger_than_by_gzip(tmp_path: Path, style: str) -> None:
    data = content(style, 2 * MIB)
    files = Files(tmp_path, data)
    with files.copy(GzipCopy) as copy:
        copy.append(0, len(data))
        copy.settle()
    assert files.sink_path.stat().st_size <= 1.05 * len(gzip.compress(data, 6))
    files.close()


def test_plain_copies(files: Files) -> None:
    size = os.fstat(files.source).st_size
    with files.copy(PlainCopy) as copy:
        copy.append(0, 1000)
        copy.append(1000, size)
        copy.settle()
    assert files.sink_path.read_bytes() == files.source_path.read_bytes()
    assert b"".join(unpacked(files.sink, compressed=False)) == files.source_path.read_bytes()


@pytest.mark.parametrize("kind", [GzipCopy, PlainCopy])
def test_a_source_that_becomes_shorter_is_noticed(files: Files, kind: type[GzipCopy]) -> None:
    size = os.fstat(files.source).st_size
    os.truncate(files.source, size - 1)
    with files.copy(kind) as copy, pytest.raises(Changed, match="truncated while it was copied"):
        copy.append(0, size)


@pytest.mark.parametrize("kind", [GzipCopy, PlainCopy])
def test_a_copy_stops_when_it_is_told_to(files: Files, kind: type[GzipCopy]) -> None:
    files.stop.set()
    with files.copy(kind) as copy, pytest.raises(Stopped):
        copy.append(0, os.fstat(files.source).st_size)


@pytest.mark.parametrize("seed", range(20))
def test_any_damage_on_disk_is_noticed(files: Files, seed: int) -> None:
    """A flipped bit in the copy, after it was written and before it was proven."""
    with files.copy(GzipCopy) as copy:
        copy.append(0, os.fstat(files.source).st_size)
        at = random.Random(seed).randrange(10, os.fstat(files.sink).st_size)
        (byte,) = os.pread(files.sink, 1, at)
        os.pwrite(files.sink, bytes([byte ^ 1 << seed % 8]), at)
        with pytest.raises(TaskError, match="nothing was removed"):
            copy.settle()


def test_a_copy_that_is_too_short_is_noticed(files: Files) -> None:
    for kind in (PlainCopy, GzipCopy):
        os.truncate(files.sink, 0)
        with files.copy(kind) as copy:
            copy.append(0, os.fstat(files.source).st_size)
            os.truncate(files.sink, os.fstat(files.sink).st_size - 1)
            with pytest.raises(TaskError, match="nothing was removed"):
                copy.settle()


def test_an_incomplete_copy_is_told_from_a_whole_one(files: Files) -> None:
    with files.copy(GzipCopy) as copy:
        copy.append(0, os.fstat(files.source).st_size)
        copy.settle()
    size = os.fstat(files.sink).st_size
    for cut in (size - 1, size - 8, size // 2, 5):
        os.truncate(files.sink, cut)
        with pytest.raises(ValueError, match="incomplete"):
            list(unpacked(files.sink, compressed=True))
    os.pwrite(files.sink, b"\0\0", 0)
    with pytest.raises(ValueError, match="damaged"):
        list(unpacked(files.sink, compressed=True))


@pytest.mark.parametrize("data", [b"", b"late\n"])
@pytest.mark.parametrize("size", [1, CHUNK, 100 * MIB + 7])
def test_holes_unpack_to_their_zeros_and_stay_holes_in_plain_copies(tmp_path: Path, data: bytes, size: int) -> None:
    files = Files(tmp_path, b"")
    os.truncate(files.source, size)
    os.pwrite(files.source, data, size // 2)
    size = max(size, size // 2 + len(data))
    stored = list(chunks(files.source, 0, size))
    assert sum(length for _, length in stored) <= 2 * MIB
    for kind in (GzipCopy, PlainCopy):
        os.truncate(files.sink, 0)
        with files.copy(kind) as copy:
            copy.append(0, size // 3)
            copy.append(size // 3, size)
            copy.settle()
        if kind is GzipCopy:
            assert os.fstat(files.sink).st_size < MIB
            zcat = subprocess.run(["zcat"], input=files.sink_path.read_bytes(), capture_output=True, check=True)
            assert zcat.stdout == files.source_path.read_bytes()
        else:
            assert files.sink_path.read_bytes() == files.source_path.read_bytes()
            assert os.fstat(files.sink).st_blocks * 512 <= 2 * MIB
    files.close()


@pytest.mark.parametrize("kind", [GzipCopy, PlainCopy])
def test_a_source_truncated_between_two_looks_for_its_holes_is_noticed(
    files: Files, kind: type[GzipCopy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """lseek(2) then fails with ENXIO, which says nothing about the directory."""
    size, seek = os.fstat(files.source).st_size, os.lseek

    def truncate_before_the_second(fd: int, position: int, how: int) -> int:
        if how == os.SEEK_HOLE:
            os.truncate(files.source, 0)
        return seek(fd, position, how)

    monkeypatch.setattr(os, "lseek", truncate_before_the_second)
    assert list(chunks(files.source, 0, size)) == []
    with files.copy(kind) as copy, pytest.raises(Changed, match="truncated while it was copied"):
        copy.append(0, size)


def test_a_gzip_copy_of_nothing_is_a_gzip_file(tmp_path: Path) -> None:
    files = Files(tmp_path, b"")
    with files.copy(GzipCopy) as copy:
        copy.append(0, 0)
        copy.settle()
    assert gzip.decompress(files.sink_path.read_bytes()) == b""
    subprocess.run(["gzip", "--test"], input=files.sink_path.read_bytes(), check=True)
    files.close()


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """However long the file, only a few chunks are under way."""
    files = Files(tmp_path, b"line\n" * (20 * MIB // 5))
    with files.copy(GzipCopy) as copy:
        assert isinstance(copy, GzipCopy)
        under_way = 0

        def jobs() -> Iterator[object]:
            nonlocal under_way
            for _ in range(100):
                under_way += 1
                yield lambda: None

        most = 0
        for _ in copy._in_order(jobs()):  # type: ignore[arg-type]
            under_way -= 1
            most = max(most, under_way)
    assert most <= 2 * len(os.sched_getaffinity(0)) + 2
    files.close()
