"""Real restic repositories in every state."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from exporter.backups.restic import Restic, ResticFailed
from exporter.base.threads import StillStuck
from tests.helpers import wait_until
from tests.hung_mount import hung_mount
from tests.restic import Real, copied, make_repository

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Real:
    return make_repository(tmp_path_factory.mktemp("restic"))


@pytest.fixture
def real(made: Real, tmp_path: Path) -> Iterator[Real]:
    with copied(made, tmp_path) as real:
        yield real


async def test_a_real_repository(real: Real, tmp_path: Path) -> None:
    restic = Restic(real.settings(), tmp_path / "cache")
    snapshots = sorted(await restic.snapshots(), key=lambda each: each.time)
    assert [each.time for each in snapshots] == sorted({each.time for each in snapshots})
    assert snapshots[1].time - snapshots[0].time == 86400
    assert [await restic.size(each.id) for each in snapshots] == [300_000, 400_000, 300_000]
    assert (tmp_path / "cache").is_dir()
    assert os.listdir(real.path / "locks") == []


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({"host": "vm"}, 2),
        ({"host": "nobody"}, 0),
        ({"tags": ["daily"]}, 2),
        ({"tags": ["daily", "pa"]}, 1),
        ({"paths": ["/no/such"]}, 0),
    ],
)
async def test_only_the_snapshots_that_are_asked_for(made: Real, keys: dict[str, Any], count: int) -> None:
    assert len(await Restic(made.settings(**keys), None).snapshots()) == count


async def test_a_snapshot_that_was_forgotten(real: Real) -> None:
    restic = Restic(real.settings(), None)
    oldest = min(await restic.snapshots(), key=lambda each: each.time)
    real.run("forget", oldest.id)
    assert len(await restic.snapshots()) == 2
    with pytest.raises(ResticFailed, match="is gone"):
        await restic.size(oldest.id)


async def test_a_locked_repository_is_read_and_a_backup_under_way_does_not_count(real: Real) -> None:
    writer = subprocess.Popen(
        real.command("backup", "--stdin"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert writer.stdin is not None
        writer.stdin.write(b"x" * 1_000_000)
        writer.stdin.flush()
        await wait_until(lambda: os.listdir(real.path / "locks"), what="restic to lock the repository")
        assert len(await Restic(real.settings(), None).snapshots()) == 3
        writer.stdin.close()
        assert writer.wait(60) == 0
    finally:
        writer.kill()
        writer.wait()
    assert len(await Restic(real.settings(), None).snapshots()) == 4


async def test_an_exclusive_lock_does_not_keep_us_from_reading(real: Real) -> None:
    """As that of a check, or a prune."""

    def locked() -> bool:
        listing = real.command("snapshots")
        return subprocess.run(listing, check=False, capture_output=True, timeout=60).returncode != 0

    def lock_written() -> bool:
        return any("-tmp-" not in name for name in os.listdir(real.path / "locks"))  # so named until it is whole

    for _ in range(20):
        check = subprocess.Popen(real.command("check", "--read-data"), stdout=subprocess.DEVNULL)
        try:
            while check.poll() is None and not lock_written():
                await asyncio.sleep(0)
            check.send_signal(signal.SIGSTOP)
            if locked():
                assert len(await Restic(real.settings(), None).snapshots()) == 3
                return
        finally:
            check.kill()
            check.wait()
            for lock in (real.path / "locks").iterdir():
                lock.unlink()
    raise AssertionError("restic check was not caught with its lock in twenty tries")


async def test_a_wrong_password_and_a_missing_password_file(real: Real, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong-password\n")
    with pytest.raises(ResticFailed, match=r"^restic: wrong password or no key found$"):
        await Restic(real.settings(password_file=str(tmp_path / "wrong")), None).snapshots()
    with pytest.raises(ResticFailed, match="gone does not exist"):
        await Restic(real.settings(password_file=str(tmp_path / "gone")), None).snapshots()


async def test_a_missing_and_a_broken_repository(real: Real, tmp_path: Path) -> None:
    with pytest.raises(ResticFailed, match="no such file or directory"):
        await Restic(real.settings(repository=str(tmp_path / "nowhere")), None).snapshots()
    (real.path / "config").chmod(0o600)
    (real.path / "config").write_bytes(b"")
    with pytest.raises(ResticFailed, match=r"^restic: "):
        await Restic(real.settings(), None).snapshots()


async def test_a_repository_on_a_mount_that_never_answers(real: Real, tmp_path: Path) -> None:
    """The kernel ends no process that waits for it: one restic and one thread stay until it is unmounted, no more."""
    point = tmp_path / "hung"
    point.mkdir()
    restic = Restic(real.settings(repository=str(point / "repo")), None)
    threads = threading.active_count()
    children = psutil.Process().children
    others = {child.pid for child in children()}
    async with hung_mount(point):
        others |= {child.pid for child in children() if "tests.hung_mount" in child.cmdline()}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await restic.snapshots()
        for _ in range(50):
            with pytest.raises(StillStuck):
                await restic.snapshots()
        assert len({child.pid for child in children()} - others) == 1
        assert threading.active_count() <= threads + 1
        assert len(await Restic(real.settings(), None).snapshots()) == 3, "another repository is read meanwhile"
    await wait_until(lambda: threading.active_count() <= threads and not {each.pid for each in children()} - others)
