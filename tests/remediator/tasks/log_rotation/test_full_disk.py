"""log-rotation on a disk without room: it frees what it can, says what it could not do, and loses nothing."""

import contextlib
import os
from pathlib import Path

import pytest

from remediator.model.task import TaskError
from tests.remediator.tasks.log_rotation.logdir import (
    KIB,
    content,
    done,
    lines,
    mounted,
    names,
    rotated,
    run,
    task,
    write_log,
)

MIB = 1024 * KIB
FILE_SYSTEMS = pytest.mark.parametrize("kind", ["ext4", "tmpfs"])


def fill(directory: Path) -> Path:
    """Takes the last free byte of a file system."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (256 * KIB, KIB):
            with contextlib.suppress(OSError):
                while True:
                    file.write(os.urandom(size))
    assert os.statvfs(directory).f_bavail == 0
    return ballast


def incompressible_log(path: Path, size: int = 2 * MIB) -> None:
    path.write_bytes(b"".join(b"%s\n" % os.urandom(48).hex().encode() for _ in range(size // 97)))


@FILE_SYSTEMS
@pytest.mark.parametrize("method", ["rename", "copytruncate"])
async def test_a_disk_that_fills_up_in_the_middle_loses_nothing(tmp_path: Path, kind: str, method: str) -> None:
    with mounted(tmp_path / "disk", kind, 12 * MIB) as disk:
        incompressible_log(disk / "app.log")
        before = lines(disk)
        rotation = task(disk, rotation={"method": method})
        actions = (await rotation.plan("logs")).actions
        ballast = fill(disk)
        os.truncate(ballast, ballast.stat().st_size - 300 * KIB)  # less than the compressed log needs
        *easy, last = actions
        for action in easy:
            assert (await rotation.apply("logs", action)).state == "done"
        left = names(disk)
        with pytest.raises(TaskError, match=rf"cannot {last.kind} app\.log.*: the disk is full; nothing was lost"):
            await rotation.apply("logs", last)
        assert names(disk) == left
        os.truncate(ballast, 0)
        assert lines(disk) == before
        await rotation.apply("logs", last)
        assert [path.suffix for path in rotated(disk)] == [".gz"]
        assert lines(disk) == before


@FILE_SYSTEMS
async def test_with_nothing_free_expired_files_are_deleted_first_and_make_room(tmp_path: Path, kind: str) -> None:
    with mounted(tmp_path / "disk", kind, 12 * MIB) as disk:
        before = write_log(disk / "app.log", MIB)
        for day in range(1, 6):
            (disk / f"app.log-2025010{day}-000000.gz").write_bytes(os.urandom(MIB))
        fill(disk)
        rotation = task(disk, max_bytes=100 * MIB, rotation={"method": "copytruncate", "keep_count": 3})
        assert [kind for kind, _ in done(await run(rotation))] == ["delete", "delete", "rotate", "delete"]
        assert content(rotated(disk)[-1]) == before


async def test_without_a_free_inode_a_log_is_not_renamed_away(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "tmpfs", 12 * MIB, ",nr_inodes=10") as disk:
        before = write_log(disk / "app.log")
        rotation = task(disk, rotation={"method": "rename"})
        actions = (await rotation.plan("logs")).actions
        count = 0
        while os.statvfs(disk).f_ffree:
            (disk / f"filler{count}").touch()
            count += 1
        with pytest.raises(TaskError, match=r"cannot rotate app\.log: the disk is full; nothing was lost"):
            await rotation.apply("logs", actions[0])
        assert (disk / "app.log").read_bytes() == before
        assert len(names(disk)) == count + 1
