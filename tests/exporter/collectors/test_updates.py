"""The updates collector: when it asks, what it makes of the answers, and package managers that fail or hang."""

import asyncio
import os
import threading
from collections.abc import Hashable
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from exporter.base.programs import CommandFailed
from exporter.collectors.updates import UpdatesCollector
from exporter.exposition import Format
from exporter.inventory.host import Host, UpdatesSettings
from exporter.packages.apt import Apt
from exporter.packages.manager import Update, Updates
from exporter.snapshot import Snapshot
from tests.exporter.fakes import FakeClock, FakeCollector
from tests.exporter.host.test_collector import figures
from tests.exporter.scripts import HANG, alive, path_first, script
from tests.helpers import wait_until


class FakeManager:
    """Answers as it is told, and counts how often it is asked."""

    def __init__(self, name: str = "apt") -> None:
        self.name = name
        self.answer = Updates(
            [Update("a", "2"), Update("b", "2", security=True)], [Update("c", "2", security=True)], []
        )
        self.error: Exception | None = None
        self.mark: Hashable = 1
        self.asked = 0

    async def updates(self) -> Updates:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.answer

    def stamp(self) -> Hashable:
        return self.mark

    def lists_refreshed(self) -> float | None:
        return 1_700_000_000.0


def collector(
    *managers: FakeManager, reboot: bool | None = None, monotonic: FakeClock | None = None, **limits: object
) -> UpdatesCollector:
    return UpdatesCollector(
        Host.model_validate(limits),
        UpdatesSettings(),
        lambda: managers,
        lambda: reboot,
        monotonic or FakeClock(),
    )


async def collected(updates: UpdatesCollector) -> dict[str, float]:
    return figures(await updates.collect())


async def test_all_that_is_known_of_a_manager() -> None:
    updates = collector(FakeManager(), reboot=True)
    await updates.collect()
    assert await collected(updates) == {
        "package_manager_up apt": 1,
        "updates_pending apt": 2,
        "security_updates_pending apt": 2,
        "updates_held_back apt": 1,
        "updates_phased apt": 0,
        "package_lists_refreshed_timestamp_seconds apt": 1_700_000_000,
        "package_lists_max_age_seconds": 14 * 86400,
        "security_updates_max_pending_seconds": 7 * 86400,
        "reboot_required": 1,
        "reboot_max_pending_seconds": 7 * 86400,
    }


async def test_the_limits_are_metrics() -> None:
    found = await collected(
        collector(security_updates_max_pending="1d", reboot_max_pending="2d", package_lists_max_age="3d")
    )
    assert found == {
        "security_updates_max_pending_seconds": 86400,
        "reboot_max_pending_seconds": 2 * 86400,
        "package_lists_max_age_seconds": 3 * 86400,
    }


async def test_what_a_manager_does_not_know_is_absent() -> None:
    brew = FakeManager("brew")
    brew.answer = Updates([Update("jq", "1.7.1")], knows_security=False)
    updates = collector(brew)
    await updates.collect()
    found = await collected(updates)
    assert found["updates_pending brew"] == 1
    assert not [name for name in found if name.split()[0] in ("security_updates_pending", "updates_held_back")]


@pytest.mark.parametrize(
    ("files", "manager", "required"),
    [(None, None, None), (None, False, 0), (False, None, 0), (False, True, 1), (True, False, 1)],
)
async def test_a_reboot_is_required_if_anybody_says_so(
    files: bool | None, manager: bool | None, required: int | None
) -> None:
    dnf = FakeManager("dnf")
    dnf.answer = Updates([], reboot_required=manager)
    updates = collector(dnf, reboot=files)
    await updates.collect()
    assert (await collected(updates)).get("reboot_required") == required


async def test_a_manager_is_asked_when_something_changed_or_the_time_has_come() -> None:
    manager, monotonic = FakeManager(), FakeClock()
    updates = collector(manager, monotonic=monotonic)
    await updates.collect()
    assert (manager.asked, updates.interval) == (0, 0)
    for _ in range(3):
        await updates.collect()
    assert (manager.asked, updates.interval) == (1, 60)
    manager.mark = 2
    await updates.collect()
    assert manager.asked == 2
    monotonic.now += 3599
    await updates.collect()
    assert manager.asked == 2
    monotonic.now += 1
    await updates.collect()
    assert manager.asked == 3


async def test_one_that_fails_costs_only_its_own_figures() -> None:
    apt, brew, monotonic = FakeManager(), FakeManager("brew"), FakeClock()
    updates = collector(apt, brew, reboot=False, monotonic=monotonic)
    await updates.collect()
    await updates.collect()
    with capture_logs() as lines:
        for error in (CommandFailed("apt-get: exit status 100: E: it is broken"), OSError("no such program")):
            apt.error = error
            for _ in range(2):
                monotonic.now += 3600
                found = await collected(updates)
                assert found["package_manager_up apt"] == 0
                assert "updates_pending apt" not in found
                assert found["package_lists_refreshed_timestamp_seconds apt"] == 1_700_000_000
                assert (found["package_manager_up brew"], found["updates_pending brew"]) == (1, 2)
                assert found["reboot_required"] == 0
        assert [line["reason"] for line in lines] == ["apt-get: exit status 100: E: it is broken", "no such program"]
        apt.error = None
        monotonic.now += 3600
        assert (await collected(updates))["package_manager_up apt"] == 1
    assert lines[-1]["event"] == "package manager answers again"


async def test_one_that_fails_is_asked_again_soon() -> None:
    manager, monotonic = FakeManager(), FakeClock()
    updates = collector(manager, monotonic=monotonic)
    await updates.collect()
    manager.error = CommandFailed("exit status 100: could not get the lock")
    assert (await collected(updates))["package_manager_up apt"] == 0
    manager.error = None
    monotonic.now += 299
    assert (await collected(updates))["package_manager_up apt"] == 0
    monotonic.now += 1
    assert (await collected(updates))["updates_pending apt"] == 2
    assert manager.asked == 2
    monotonic.now += 3599
    await updates.collect()
    assert manager.asked == 2


async def test_one_that_is_not_understood_costs_only_its_own_figures() -> None:
    apt, brew = FakeManager(), FakeManager("brew")
    apt.error = IndexError("a mistake of ours")
    updates = collector(apt, brew)
    with capture_logs() as lines:
        await updates.collect()
        found = await collected(updates)
    assert (found["package_manager_up apt"], found["package_manager_up brew"]) == (0, 1)
    assert lines[0]["log_level"] == "error"


@pytest.mark.slow
async def test_one_that_hangs_is_killed_with_its_children_and_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    script(tmp_path / "bin", "apt-get", HANG.format(pids=pids))
    path_first(monkeypatch, tmp_path / "bin")
    updates = UpdatesCollector(Host(), UpdatesSettings(deadline=6), lambda: [Apt(), FakeManager("brew")], lambda: False)
    beside = FakeCollector("beside")
    snapshot = Snapshot()
    await snapshot.replace([updates, beside], stale_after=300)
    try:
        await wait_until(lambda: snapshot.ready)
        await wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 4)
        started = [int(pid) for pid in pids.read_text().split()]
        assert len(alive(started)) == 4
        rounds = beside.rounds
        await wait_until(lambda: not alive(started), what="the package manager and its children to be killed")

        def told() -> bool:
            return 'upkeeper_host_package_manager_up{manager="apt"} 0.0' in snapshot.body(Format.TEXT).decode()

        await wait_until(told)
        assert beside.rounds > rounds, "the others went on"
        body = snapshot.body(Format.TEXT).decode()
        assert 'upkeeper_host_updates_pending{manager="brew"} 2.0' in body
        assert 'upkeeper_host_updates_pending{manager="apt"}' not in body
        assert 'upkeeper_collector_success{collector="beside"} 1.0' in body
    finally:
        await snapshot.stop()


async def test_at_the_end_of_the_exporter_a_running_package_manager_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    script(tmp_path / "bin", "apt-get", HANG.format(pids=pids))
    path_first(monkeypatch, tmp_path / "bin")
    snapshot = Snapshot()
    updates = UpdatesCollector(Host(), UpdatesSettings(), lambda: [Apt()], lambda: False)
    await snapshot.replace([updates], stale_after=300)
    await wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 4)
    started = [int(pid) for pid in pids.read_text().split()]
    await snapshot.stop()
    await wait_until(lambda: not alive(started))


async def test_package_lists_on_a_file_system_that_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def hangs() -> bool | None:
        (tmp_path / "pipe").read_bytes()
        return True

    updates = UpdatesCollector(Host(), UpdatesSettings(deadline=0.2), lambda: [FakeManager()], hangs)
    threads = threading.active_count()
    for _ in range(10):
        with pytest.raises(TimeoutError, match="does not answer"):
            await updates.collect()
    assert updates.interval == 60, "no hurry to try again"
    assert threading.active_count() <= threads + 1
    with (tmp_path / "pipe").open("wb"):
        pass
    await wait_until(lambda: threading.active_count() <= threads)


@pytest.mark.slow
async def test_a_thousand_rounds_leave_nothing_behind() -> None:
    apt, monotonic, me = FakeManager(), FakeClock(), psutil.Process()
    updates = collector(apt, monotonic=monotonic)

    async def rounds(count: int) -> None:
        for number in range(count):
            apt.error = CommandFailed("broken") if number % 3 == 0 else None
            monotonic.now += 1800
            await updates.collect()

    with capture_logs():
        await rounds(100)
        files, threads, memory = me.num_fds(), threading.active_count(), me.memory_info().rss
        await rounds(1000)
    await asyncio.sleep(0)
    await wait_until(lambda: threading.active_count() <= threads)
    assert me.num_fds() <= files
    assert me.memory_info().rss - memory < 8 * 1024**2
