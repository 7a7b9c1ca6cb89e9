"""Spot check: files of a set against what they are copies of."""

import os
import threading
from pathlib import Path

import pytest

from exporter.backups import manifest as manifests
from exporter.backups import results
from remediator.model.task import Effect, TaskError
from remediator.tasks.backup_verification.spot import Spot, spot_check
from remediator.tasks.backup_verification.task import BackupVerification
from tests.remediator.tasks.backup.series import made, series, task

STOP = threading.Event()


@pytest.fixture
async def whole(tmp_path: Path) -> Path:
    (tmp_path / "sets").mkdir()
    (tmp_path / "data").mkdir()
    for number in range(10):
        (tmp_path / "data" / f"f{number}").write_bytes(os.urandom(5000))
    (tmp_path / "data" / "empty").touch()
    (tmp_path / "data" / "link").symlink_to("f1")
    return await made(task(series(tmp_path / "sets", {"files": [str(tmp_path / "data")]})), tmp_path / "sets")


def check(whole: Path, **keys: float) -> Spot:
    manifest, _ = manifests.read(whole)
    return spot_check(whole, manifest, None, STOP, lambda: 0.0, **keys)


def rotten(file: Path) -> None:
    """Another content of the same size and time, as of a disk that forgets."""
    at, data = file.stat(), file.read_bytes()
    file.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))


async def test_what_has_not_changed_is_compared_and_what_differs_is_found(whole: Path, tmp_path: Path) -> None:
    assert str(check(whole)) == "11 files as at their source"
    (tmp_path / "data" / "f2").write_text("new")
    (tmp_path / "data" / "f3").unlink()
    assert str(check(whole)) == "9 files as at their source; 2 have changed since"
    rotten(tmp_path / "data" / "f4")
    assert (
        check(whole).wrong == f"{tmp_path}/data/f4 has another content than its copy, and has not been written to since"
    )


async def test_it_ends_with_its_time(whole: Path) -> None:
    assert check(whole, seconds=-1.0) == Spot()


async def test_it_is_a_level_of_its_own_that_proves_no_set(whole: Path, tmp_path: Path) -> None:
    one = series(tmp_path / "sets", {"files": [str(tmp_path / "data")]})
    verification = BackupVerification([one], tmp_path / "state")
    (action,) = (await verification.plan("pa", {"level": "spot"})).actions
    assert (await verification.apply("pa", action)).detail == "11 files as at their source"
    kept = results.read(tmp_path / "state", "pa").verifications
    assert {level: one.success for level, one in kept.items()} == {"spot": True}
    assert not (whole / "upkeeper-proofs.json").exists()
    rotten(tmp_path / "data" / "f4")
    with pytest.raises(TaskError, match="f4 has another content than its copy"):
        await verification.apply("pa", action)
    assert not results.read(tmp_path / "state", "pa").verifications["spot"].success
    for file in (tmp_path / "data").iterdir():
        file.unlink()
    skipped = "nothing could be compared: all of the sample has changed since"
    assert await verification.apply("pa", action) == Effect(state="skipped", detail=skipped)
