"""Files that only look like logs, logs full of holes, names as long as they can be, and file systems without links."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from remediator.tasks.log_rotation.names import is_for, note_name, temporary_name, work_of
from tests.helpers import require_program, wait_until
from tests.remediator.tasks.log_rotation.logdir import (
    DAY,
    KIB,
    Writer,
    content,
    done,
    lines,
    listed,
    mounted,
    names,
    require_collapse,
    rotated,
    run,
    snapshot,
    task,
    write_log,
)

MIB = 1024 * KIB
METHODS = pytest.mark.parametrize("method", ["rename", "copytruncate"])
COMPRESS = pytest.mark.parametrize("compress", [True, False])


def by_program(program: str, package: str, *arguments: str) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        command = [require_program(program, package), *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    return pack


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.log", data)
    return file.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zip": zipped,
    "lrzip": lambda data: b"LRZI\0\6" + data,
    "rpm": lambda data: b"\xed\xab\xee\xdb\3\0" + data,
    "wim": lambda data: b"MSWIM\0\0\0" + data,
    "zstd": by_program("zstd", "zstd", "--quiet", "--stdout"),
}


@METHODS
@pytest.mark.parametrize("name", ["app.log", "app.log.old"])
@pytest.mark.parametrize("packer", PACKERS)
async def test_what_is_compressed_by_its_content_is_no_log(tmp_path: Path, packer: str, name: str, method: str) -> None:
    (tmp_path / name).write_bytes(PACKERS[packer](os.urandom(200 * KIB)))
    before = snapshot(tmp_path)
    rotation = task(tmp_path, include=["*.log*"], rotation={"method": method, "max_file_age": "1s"}, at=4e9)
    assert await run(rotation) == []
    assert snapshot(tmp_path) == before
    assert any(f"compressed already, by its content): {name}" in note for note in (await rotation.plan("logs")).notes)


@pytest.mark.parametrize(
    "end",
    [".zip", ".Z", ".z", ".tgz", ".7z", ".lzma", ".br", ".sz", ".GZ", ".Gz", ".BZ2", ".XZ", ".zst", ".lz4", ".ZIP",
     ".lrz", ".rz", ".zpaq", ".gpg", ".rpm", ".wim"],
)  # fmt: skip
async def test_what_is_compressed_by_its_name_is_no_log(tmp_path: Path, end: str) -> None:
    (tmp_path / f"app.log{end}").write_bytes(b"x" * 200 * KIB)
    before = snapshot(tmp_path)
    assert await run(task(tmp_path, include=["*.log*"], rotation={"max_file_age": "1s"}, at=4e9)) == []
    assert snapshot(tmp_path) == before


async def test_a_log_that_talks_of_archives_is_a_log(tmp_path: Path) -> None:
    for number, line in enumerate([b"PK is the zip mark\n", b"BZh91 was seen\n", b"Rar! 7z LZIP\n", b"]: 5d\n"]):
        (tmp_path / f"{number}.log").write_bytes(line * 20_000)
    assert len(done(await run(task(tmp_path, rotation={"method": "copytruncate"})))) == 4


def sparse(path: Path, size: int, *data: tuple[int, bytes]) -> bytes:
    with path.open("wb") as file:
        file.truncate(size)
        for at, piece in data:
            file.seek(at)
            file.write(piece)
    return path.read_bytes()


@METHODS
@COMPRESS
@pytest.mark.parametrize(
    "data", [[(0, b"first\n"), (9 * MIB, b"late\n")], [(9 * MIB + 11, b"late\n")], [(0, b"first\n")]]
)
async def test_zcat_gives_the_bytes_of_a_log_with_holes(
    tmp_path: Path, method: str, compress: bool, data: list[tuple[int, bytes]]
) -> None:
    before = sparse(tmp_path / "app.log", 10 * MIB, *data)
    rotation = {"method": method, "compress": compress, "max_file_bytes": 1}
    await run(task(tmp_path, rotation=rotation))
    (copy,) = rotated(tmp_path)
    whole = content(copy)
    if method == "copytruncate" and b"\n" in before:  # whole lines move; the hole behind the last one stays
        whole += (tmp_path / "app.log").read_bytes().lstrip(b" \n")
    assert whole == before
    assert copy.stat().st_blocks * 512 < MIB
    if compress:
        subprocess.run(["gzip", "--test", copy], check=True)


@METHODS
async def test_a_log_of_holes_alone_becomes_a_gzip_file(tmp_path: Path, method: str) -> None:
    before = sparse(tmp_path / "app.log", 5 * MIB + 1)
    copied = tmp_path / "app.log-20251009-085320"
    copied.write_bytes(b"")
    os.truncate(copied, 3 * MIB)
    await run(task(tmp_path, at=time.time() + DAY, rotation={"method": method, "max_file_age": "1s"}))
    assert len(rotated(tmp_path)) == 2
    for path in rotated(tmp_path):
        subprocess.run(["gzip", "--test", path], check=True)
    assert sum(len(content(path)) for path in (*rotated(tmp_path), tmp_path / "app.log")) >= len(before) + 3 * MIB


async def test_the_last_line_before_a_hole_is_found_without_reading_the_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_collapse(tmp_path)
    whole = b"first\n" * 2000
    sparse(tmp_path / "app.log", 0, (0, whole + b"next"), (64 * MIB, b"a line without an end"))
    looked, read = [], os.pread

    def count(fd: int, length: int, at: int) -> bytes:
        looked.append(length)
        return read(fd, length, at)

    monkeypatch.setattr(os, "pread", count)
    await run(task(tmp_path, rotation={"method": "copytruncate", "compress": False, "max_file_bytes": 1}))
    (copy,) = rotated(tmp_path)
    assert copy.read_bytes() == whole
    assert sum(looked) < 2 * MIB


@METHODS
async def test_the_zeros_of_a_hole_never_take_more_than_the_hole(tmp_path: Path, method: str) -> None:
    """A writer with its own position makes a hole that grows for ever: compressed, 100 GiB of it would take 100 MiB."""
    log = tmp_path / "app.log"
    size = 100 * 1024 * MIB
    with log.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(b"a line\n" * 20_000)
    await run(task(tmp_path, rotation={"method": method}))
    (copy,) = rotated(tmp_path)
    assert not copy.name.endswith(".gz")
    assert copy.stat().st_size == size + 140_000
    assert copy.stat().st_blocks * 512 < MIB
    with copy.open("rb") as file:
        file.seek(size)
        assert file.read() == b"a line\n" * 20_000


@METHODS
@COMPRESS
@pytest.mark.parametrize("length", [*range(218, 243), 255])
async def test_names_as_long_as_they_can_be(tmp_path: Path, method: str, compress: bool, length: int) -> None:
    log = tmp_path / f"{'ü' * 50}{'x' * (length - 104)}.log"
    assert len(os.fsencode(log.name)) == length
    before = write_log(log)
    rotation = task(tmp_path, rotation={"method": method, "compress": compress})
    results = await run(rotation)
    assert all(effect.state == "done" for _, effect in results)
    assert not [name for name in names(tmp_path) if work_of(name)]
    if length <= 236:
        (copy,) = rotated(tmp_path, log.name)
        assert content(copy) == before
        assert copy.name.endswith(".gz") == compress
    elif length <= 239 and (method == "rename" or not compress):
        (copy,) = rotated(tmp_path, log.name)
        assert copy.read_bytes() == before
        assert compress == any("no room for .gz" in note for note in (await rotation.plan("logs")).notes)
    else:
        assert results == []
        assert log.read_bytes() == before
        assert any("no room for the time" in note for note in (await rotation.plan("logs")).notes)


def test_temporary_names_fit_and_differ() -> None:
    long = [f"{'x' * 240}{number}" for number in range(100)]
    for work in ("copy", "named", "pack", "swap"):
        made = {name: temporary_name("0123456789ab-0", work, name) for name in long}  # type: ignore[arg-type]
        assert len(set(made.values())) == 100
        assert all(len(temporary) <= 255 and work_of(temporary) == work for temporary in made.values())
        assert all(is_for(made[name], work, subject) == (name == subject) for name in long for subject in long[:5])
    assert note_name(temporary_name("0a-1", "copy", "a"), "a") == temporary_name("0a-1", "named", "a")


@METHODS
@COMPRESS
async def test_exfat_has_neither_links_nor_owners(tmp_path: Path, method: str, compress: bool) -> None:
    with mounted(tmp_path / "disk", "exfat", 64 * MIB) as disk:
        (disk / "probe").touch()
        with pytest.raises(PermissionError):
            os.link(disk / "probe", disk / "second")
        (disk / "probe").unlink()
        before = write_log(disk / "app.log")
        rotation = task(disk, rotation={"method": method, "compress": compress})
        results = await run(rotation)
        assert [effect.state for _, effect in results] == ["done"] * len(results)
        (copy,) = rotated(disk)
        assert content(copy) == before
        assert copy.name.endswith(".gz") == compress
        assert not (disk / "app.log").read_bytes().strip()
        assert len(names(disk)) == 2
        again = write_log(disk / "app.log", start=10_000)
        await run(rotation)
        assert lines(disk) == Counter((before + again).splitlines())


@METHODS
async def test_a_writer_on_exfat_loses_no_line_but_what_it_writes_in_the_moment_of_a_cut(
    tmp_path: Path, method: str
) -> None:
    """exFAT can only truncate: what is written between the last look and that is lost, right before what follows."""
    with mounted(tmp_path / "disk", "exfat", 64 * MIB) as disk:
        log = disk / "app.log"
        log.touch()
        rotation = task(disk, rotation={"method": method, "max_file_bytes": KIB, "keep_count": 10**4})
        with Writer(log, reopen=method == "rename", pause=0.0005) as writer:
            for _ in range(5):
                await wait_until(lambda: log.exists() and log.stat().st_size > 2 * KIB, what="lines in the log")
                await run(rotation)
            count = writer.stop()
        found = lines(disk)
        written = [b"%09d written by one that never stops" % number for number in range(count)]
        assert found <= Counter(written)
        missing = {number for number, line in enumerate(written) if line not in found}
        if method == "rename":
            assert missing == set()
        goes_on = {int(content(path).split(maxsplit=1)[0]) for path in disk.iterdir() if content(path).strip()}
        assert {number + 1 for number in missing if number + 1 not in missing} <= goes_on


async def test_on_exfat_a_taken_name_is_never_overwritten(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "exfat", 64 * MIB) as disk:
        before = write_log(disk / "app.log")
        rotation = task(disk, at=1_760_000_000.0, rotation={"method": "copytruncate"})
        actions = (await rotation.plan("logs")).actions
        (disk / "app.log-20251009-085320.gz").write_bytes(gzip.compress(b"another's\n"))
        for action in actions:
            await rotation.apply("logs", action)
        assert content(disk / "app.log-20251009-085320.gz") == b"another's\n"
        assert content(disk / "app.log-20251009-085320-1.gz") == before
        assert listed(await rotation.plan("logs")) == []
