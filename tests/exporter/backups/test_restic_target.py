"""The backups collector and restic: its own interval, sizes asked for once, and what becomes of one that hangs."""

import asyncio
import threading
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from exporter.backups.results import path_of
from exporter.inventory.backups import Backup
from tests.exporter.backups.backupdir import backup, make_set, restic_backup
from tests.exporter.backups.backupfigures import LIMITS, collector, figures, open_collector
from tests.exporter.fakes import FakeClock
from tests.helpers import rounds as as_asked
from tests.helpers import wait_until

ONE = '[{"id": "a1", "time": "2026-11-24T02:00:00Z", "summary": {"total_bytes_processed": 5}}]'


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program ``restic``, first on PATH, that runs the shell script in the file."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "restic"
    program.write_text(f"#!/bin/sh\n. {tmp_path}/script\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return tmp_path / "script"


@pytest.fixture
def repository(tmp_path: Path) -> Backup:
    (tmp_path / "password").write_text("secret")
    return restic_backup("/srv/repo", tmp_path / "password", "repo")


async def test_sizes_come_with_the_snapshots_or_are_asked_for_once(stand_in: Path, repository: Backup) -> None:
    """The newest eight of those that do not tell it, and again only for a new one."""
    snapshots = [f'{{"id": "s{day}", "time": "2026-11-{day:02}T02:00:00Z"}}' for day in range(1, 21)]
    stand_in.write_text(
        f"""case "$*" in *snapshots*) echo '[{",".join(snapshots)}]';;
        *) echo "$*" >> {stand_in}.sizes; echo '{{"total_size": 70}}';; esac"""
    )
    clock = FakeClock()
    async with open_collector(repository, monotonic=clock) as backups:
        found = await figures(backups, "repo")
        assert (found["up"], found["sets"], found["size_bytes"], found["size_expected_bytes"]) == (1, 20, 70, 70)
        asked = Path(f"{stand_in}.sizes").read_text().splitlines()
        assert [line.split()[-1] for line in asked] == [f"s{day}" for day in range(20, 12, -1)]
        clock.now += 300
        await backups.collect()
        assert Path(f"{stand_in}.sizes").read_text().splitlines() == asked


async def test_a_repository_has_an_interval_of_its_own(stand_in: Path, repository: Backup) -> None:
    stand_in.write_text(f"echo called >> {stand_in}.calls; echo '{ONE}'")
    clock = FakeClock()
    async with open_collector(repository, monotonic=clock) as backups:
        for _ in range(5):
            assert await figures(backups, "repo") == LIMITS | {
                "up": 1,
                "sets": 1,
                "last_success_timestamp_seconds": 1795485600,
                "oldest_timestamp_seconds": 1795485600,
                "size_bytes": 5,
                "uncounted_sets_future": 0,
            }
            clock.now += 70
        assert Path(f"{stand_in}.calls").read_text().splitlines() == ["called"]
        await backups.collect()
        assert Path(f"{stand_in}.calls").read_text().splitlines() == ["called"] * 2


async def test_a_size_that_cannot_be_told_is_absent_and_all_else_is_there(stand_in: Path, repository: Backup) -> None:
    stand_in.write_text(
        """case "$*" in *snapshots*) echo '[{"id": "a1", "time": "2026-11-24T02:00:00Z"}]';;
        *) echo "Fatal: no" >&2; exit 1;; esac"""
    )
    clock = FakeClock()
    async with open_collector(repository, monotonic=clock) as backups:
        with capture_logs() as lines:
            for _ in range(2):
                found = await figures(backups, "repo")
                assert (found["up"], found["sets"]) == (1, 1)
                assert "size_bytes" not in found
                clock.now += 300
        assert [line["reason"] for line in lines] == ["restic: no"]


async def test_a_repository_that_hangs_costs_its_own_figures(
    tmp_path: Path, stand_in: Path, repository: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.backups.targets._GRACE_SECONDS", 0.05)
    stand_in.write_text("sleep 1000")
    make_set(tmp_path / "sets", "b-1")
    clock = FakeClock()
    settings = {"restic_deadline": "200ms"}
    async with open_collector(repository, backup(tmp_path / "sets"), settings=settings, monotonic=clock) as backups:
        with capture_logs() as lines:
            assert (await figures(backups))["sets"] == 1
            await wait_until(lambda: lines, what="the repository to be given up")
            assert await figures(backups, "repo") == LIMITS | {"up": 0}
            assert [line["reason"] for line in lines] == ["restic: no answer within 0.2 s"]
            stand_in.write_text(f"echo '{ONE}'")

            async def answers() -> bool:
                clock.now += 300
                return (await figures(backups, "repo"))["up"] == 1

            await wait_until(answers)
            assert lines[-1]["event"] == "backup read again"


async def test_closed_it_leaves_no_restic_behind(
    stand_in: Path, repository: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.backups.targets._GRACE_SECONDS", 0.0)
    stand_in.write_text("sleep 1000 & sleep 1000")
    process = psutil.Process()
    others = set(process.children(recursive=True))  # servers of other tests

    def started() -> set[psutil.Process]:
        return set(process.children(recursive=True)) - others

    async with open_collector(repository) as backups:
        await backups.collect()
        await wait_until(lambda: len(started()) >= 3)
    await wait_until(lambda: not started())


async def test_a_new_config_keeps_what_is_known_of_the_same_backups(
    tmp_path: Path, stand_in: Path, repository: Backup
) -> None:
    stand_in.write_text(f"echo called >> {stand_in}.calls; echo '{ONE}'")
    make_set(tmp_path / "sets", "b-1")
    clock = FakeClock()
    former = collector(repository, backup(tmp_path / "sets"), backup(tmp_path, "ends"), monotonic=clock)
    await former.collect()
    other = restic_backup("/srv/repo", tmp_path / "password", "repo2")
    async with open_collector(repository, other, backup(tmp_path / "sets"), monotonic=clock) as backups:
        backups.continue_from(former)
        await former.close()
        assert (await figures(backups, "repo"))["sets"] == 1
        assert (await figures(backups))["sets"] == 1
        assert len(Path(f"{stand_in}.calls").read_text().splitlines()) == 2, "one for each repository"
        assert await figures(backups, "ends") == {}
        changed = restic_backup("/srv/repo", tmp_path / "password", "repo", host="vm")
        stand_in.write_text("echo null")
        async with open_collector(changed, monotonic=clock) as last:
            last.continue_from(backups)
            assert (await figures(last, "repo"))["sets"] == 0


async def test_a_restic_under_way_goes_on_under_a_new_config(
    stand_in: Path, repository: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.backups.targets._GRACE_SECONDS", 0.0)
    stand_in.write_text(f"until [ -e {stand_in}.go ]; do sleep 0.01; done; echo '{ONE}'")
    former = collector(repository)
    await former.collect()
    async with open_collector(repository) as backups:
        backups.continue_from(former)
        await former.close()
        assert "up" not in await figures(backups, "repo")
        assert backups.interval == 5, "figures that come soon do not wait for a whole interval"
        Path(f"{stand_in}.go").touch()

        async def known() -> bool:
            return (await figures(backups, "repo")).get("sets") == 1

        await wait_until(known)
        assert backups.interval == 60


async def test_no_restic_on_path(repository: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    clock = FakeClock()
    async with open_collector(repository, monotonic=clock) as backups:
        with capture_logs() as lines:
            for _ in range(3):
                assert await figures(backups, "repo") == LIMITS | {"up": 0}
                clock.now += 300
        assert [line["reason"] for line in lines] == ["restic is not on PATH"]


@pytest.mark.slow
@pytest.mark.torture
async def test_many_rounds_cost_no_thread_file_or_memory(tmp_path: Path, stand_in: Path, repository: Backup) -> None:
    """Among them a directory that comes and goes, broken results, and a restic that fails as often as it answers."""
    clock = FakeClock()
    for number in range(10):
        make_set(tmp_path / "sets", f"b-{number}", files=3)
    gone = tmp_path / "comes-and-goes"
    process = psutil.Process()
    stand_in.write_text(f"echo '{ONE}'")
    configs = [repository, backup(tmp_path / "sets"), backup(gone, "gone"), backup(tmp_path / "nowhere", "never")]
    async with open_collector(*configs, state_dir=tmp_path, monotonic=clock) as backups:

        async def rounds(count: int) -> None:
            for number in range(count):
                clock.now += 3
                if number % 2:
                    gone.mkdir()
                else:
                    stand_in.write_text(f"echo '{ONE}'" if number % 4 else "exit 1")
                    path_of(tmp_path, "pa").write_text("{" if number % 3 else "")
                await backups.collect()
                if number % 2:
                    gone.rmdir()

        path_of(tmp_path, "pa").parent.mkdir()
        await rounds(60)
        await asyncio.sleep(0)
        before = process.num_fds(), threading.active_count(), process.memory_info().rss
        await rounds(as_asked("ROUNDS", 240, 1000))
        await wait_until(lambda: (process.num_fds(), threading.active_count()) <= before[:2])
        assert process.memory_info().rss - before[2] < 8_000_000
