import os
import subprocess
from pathlib import Path

import pytest

from remediator.model.errors import NoRoom
from remediator.store import ballast as module
from remediator.store.ballast import FILES, Ballast, default_size, doubt
from remediator.store.extents import shared_blocks
from tests.filesystems import mounted
from tests.smalldisk import fill

MIB = 1024 * 1024
GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (16 * MIB, 2 * MIB),
        (32 * MIB, 4 * MIB),
        (GIB // 2, 8 * MIB),
        (2 * GIB, 2 * GIB // 100),
        (10 * GIB, 64 * MIB),
        (10_000 * GIB, 64 * MIB),
    ],
)
def test_by_default_it_is_a_hundredth_of_the_disk_within_bounds(total: int, expected: int) -> None:
    assert default_size(total) == expected


@pytest.mark.parametrize(
    ("fstype", "allocated", "shared", "expected"),
    [
        ("ext4", 100, False, ""),
        ("xfs", 100, False, ""),
        ("tmpfs", 100, False, ""),
        ("xfs", 100, True, "a snapshot or a copy shares its blocks"),
        ("zfs", 1, False, "zfs keeps 1 B of its 100 B"),
        ("btrfs", 100, False, "btrfs may need new blocks"),
        ("overlay", 100, False, "overlay may need new blocks"),
        ("", 100, False, "this file system may need"),
    ],
)
def test_where_it_cannot_be_promised_it_says_why(fstype: str, allocated: int, shared: bool, expected: str) -> None:
    said = doubt(fstype, 100, allocated, shared=shared)
    assert said.startswith(expected)
    assert bool(said) == bool(expected)


def with_disk(monkeypatch: pytest.MonkeyPatch, short: str | None) -> None:
    monkeypatch.setattr(module, "shortage", lambda _: short)


def test_it_is_laid_grown_shrunk_and_removed(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path)
    assert not ballast.look(4 * MIB).whole
    now = ballast.lay(4 * MIB)
    assert (now.bytes, now.inodes, now.whole) == (4 * MIB, now.wanted_inodes, True)
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 4 * MIB
    assert (tmp_path / "ballast").stat().st_mode & 0o777 == 0o600
    assert ballast.lay(6 * MIB).bytes == 6 * MIB
    assert ballast.lay(2 * MIB).bytes == 2 * MIB
    assert ballast.lay(0).whole
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("short", "size", "files"),
    [("space", 8, FILES), ("inodes", 16, FILES // 2), (None, 8, FILES // 2), ("writes", 16, FILES)],
)
def test_half_of_what_the_disk_is_short_of_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: str | None, size: int, files: int
) -> None:
    ballast = Ballast(tmp_path)
    laid = ballast.lay(16 * MIB)
    with_disk(monkeypatch, short)
    heard: list[str] = []
    with ballast.watched(lambda: heard.append("released")):
        assert ballast.release() == (short != "writes")
    assert ballast.look(16 * MIB).bytes == size * MIB
    if laid.wanted_inodes:
        assert ballast.look(16 * MIB).inodes == files
    assert heard == ([] if short == "writes" else ["released"])


def test_it_is_released_until_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ballast = Ballast(tmp_path)
    ballast.lay(5 * MIB)
    with_disk(monkeypatch, "space")
    left = []
    while ballast.release():
        left.append(ballast.look(None).bytes // MIB)
    assert left == [2, 1, 0]
    assert not (tmp_path / "ballast").exists()


def test_work_is_done_again_as_long_as_there_is_something_to_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballast = Ballast(tmp_path)
    ballast.lay(4 * MIB)
    with_disk(monkeypatch, "space")
    tries: list[int] = []

    def work() -> str:
        tries.append(ballast.look(None).bytes)
        if tries[-1] > 2 * MIB:
            raise OSError(28, "No space left on device")
        return "done"

    assert ballast.with_room(work) == "done"
    assert tries == [4 * MIB, 2 * MIB]

    def never() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(NoRoom, match="is full"):
        ballast.with_room(never)

    def other() -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        ballast.with_room(other)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"x" * 100)
    state = tmp_path / "state"
    state.mkdir()
    (state / "ballast").symlink_to(other)
    Ballast(state).release()
    assert other.stat().st_size == 100
    (state / "ballast").symlink_to(other)
    assert Ballast(state).lay(MIB).lacks == "it cannot be made: Too many levels of symbolic links"
    assert other.stat().st_size == 100


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
def test_a_ballast_without_room_leaves_the_disk_as_it_is(tmp_path: Path, kind: str) -> None:
    """On ext4 a preallocation that does not fit takes all that there is."""
    with mounted(tmp_path / "disk", kind, 64 * MIB) as disk:
        ballast = Ballast(disk)
        before = os.statvfs(disk).f_bavail
        total = os.statvfs(disk).f_blocks * os.statvfs(disk).f_frsize
        now = ballast.lay(total)
        assert (now.whole, now.bytes) == (False, 0)
        assert "is laid once there are" in now.lacks
        os.sync()
        assert os.statvfs(disk).f_bavail >= before - 256  # blocks for the directory of the inodes


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs"])
def test_a_preallocation_that_fails_is_taken_back(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The room was there when it was looked at, and somebody took it."""
    with mounted(tmp_path / "disk", kind, 64 * MIB) as disk:
        made = fill(disk)
        monkeypatch.setattr(module, "_lacks", lambda *_: "")
        now = Ballast(disk).lay(8 * MIB)
        assert now.bytes == 0
        assert now.lacks in (f"it cannot be {done}: No space left on device" for done in ("made", "preallocated"))
        assert not (disk / "ballast").exists()
        for path in made:
            path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
def test_what_is_released_can_be_written(tmp_path: Path, kind: str) -> None:
    with mounted(tmp_path / "disk", kind, 96 * MIB) as disk:
        ballast = Ballast(disk)
        assert ballast.lay(16 * MIB).whole
        fill(disk)
        written = ballast.with_room(lambda: (disk / "written").write_bytes(os.urandom(6 * MIB)))
        assert written == 6 * MIB
        left = ballast.look(16 * MIB)
        assert not left.whole
        assert left.lacks


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_copy_that_shares_its_blocks_is_found(tmp_path: Path, kind: str) -> None:
    with mounted(tmp_path / "disk", kind, 96 * MIB) as disk:
        file, copy = disk / "ballast", disk / "copy"
        ballast = Ballast(disk)
        ballast.lay(4 * MIB)
        assert not shared_blocks(file)
        file.write_bytes(os.urandom(4 * MIB))  # preallocated and never written, there is nothing to share
        subprocess.run(["cp", "--reflink=always", file, copy], check=True)
        os.sync()
        assert shared_blocks(file)
        assert ballast.look(4 * MIB).doubt == "a snapshot or a copy shares its blocks, so releasing it frees nothing"


@pytest.mark.slow
def test_one_that_was_copied_as_holes_is_filled_again(tmp_path: Path) -> None:
    """As cp makes it on XFS."""
    with mounted(tmp_path / "disk", "ext4", 64 * MIB) as disk:
        with (disk / "ballast").open("wb") as file:
            file.truncate(4 * MIB)
        assert Ballast(disk).look(4 * MIB).doubt.startswith("ext4 keeps 0 B of its 4 MiB")
        now = Ballast(disk).lay(4 * MIB)
        assert (now.whole, now.doubt) == (True, "")
        assert (disk / "ballast").stat().st_blocks * 512 >= 4 * MIB
