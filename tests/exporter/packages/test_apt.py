"""Real apt, in a root of its own with archives of its own: what waits, is held, phased, and what is for security."""

from pathlib import Path

import pytest

from exporter.base.programs import CommandFailed
from exporter.collectors.updates import UpdatesCollector
from exporter.inventory.host import Host, UpdatesSettings
from exporter.packages.manager import Update
from tests.exporter.apt_root import AptRoot
from tests.exporter.fakes import FakeClock
from tests.exporter.host.test_collector import figures

pytestmark = pytest.mark.servers


@pytest.fixture
def apt_root(tmp_path: Path) -> AptRoot:
    root = AptRoot(tmp_path)
    root.installed(dict.fromkeys(("app", "lib", "held", "both", "blocked", "phased", "same"), "1.0"), held=["held"])
    root.published(
        {
            "app": "2.0",
            "both": "1.2",
            "phased": "2.0|Phased-Update-Percentage: 0",
            "blocked": "2.0|Depends: nothing-has-this",
            "same": "1.0",
            "other": "1.0",
        },
        {"lib": "1.1", "held": "1.1", "both": "1.1"},
    )
    return root


async def test_what_waits(apt_root: AptRoot) -> None:
    updates = await apt_root.apt().updates()
    assert updates.pending == [
        Update("app", "2.0", "1.0"),
        Update("both", "1.2", "1.0", security=True),  # 1.1 was the fix; 1.2 has come since
        Update("lib", "1.1", "1.0", security=True),
    ]
    assert updates.held_back == [Update("blocked", "2.0", "1.0"), Update("held", "1.1", "1.0", security=True)]
    assert updates.phased == [Update("phased", "2.0", "1.0")]
    assert [update.name for update in updates.security or ()] == ["both", "lib", "held"]


async def test_nothing_waits(apt_root: AptRoot) -> None:
    apt_root.installed({"same": "1.0"})
    updates = await apt_root.apt().updates()
    assert (updates.pending, updates.held_back, updates.phased) == ([], [], [])


async def test_lists_are_not_refreshed_and_nothing_is_locked_or_changed(apt_root: AptRoot) -> None:
    lists = {path: path.stat().st_mtime_ns for path in apt_root.lists.rglob("*")}
    status = apt_root.status.read_bytes()
    (apt_root.archive / "dists/stable/Release").unlink()
    await apt_root.apt().updates()
    assert {path: path.stat().st_mtime_ns for path in apt_root.lists.rglob("*")} == lists
    assert apt_root.status.read_bytes() == status
    assert not (apt_root.root / "var/lib/dpkg/lock-frontend").exists()


async def test_a_broken_sources_list_says_so(apt_root: AptRoot) -> None:
    (apt_root.root / "etc/apt/sources.list").write_text("nonsense\n")
    with pytest.raises(CommandFailed, match=r"apt-get: exit status 100: E: "):
        await apt_root.apt().updates()


async def test_an_upgrade_is_noticed_long_before_the_interval(apt_root: AptRoot) -> None:
    monotonic = FakeClock()
    apt = apt_root.apt()
    updates = UpdatesCollector(Host(), UpdatesSettings(), lambda: [apt], lambda: False, monotonic)
    before = figures(await updates.collect())
    assert "updates_pending apt" not in before, "the first one only looks at files"
    assert before["package_lists_refreshed_timestamp_seconds apt"] == apt.lists_refreshed()
    waiting = figures(await updates.collect())
    assert (waiting["updates_pending apt"], waiting["security_updates_pending apt"]) == (3, 3)
    assert (waiting["updates_held_back apt"], waiting["updates_phased apt"]) == (2, 1)
    apt_root.installed({"app": "2.0", "lib": "1.1", "held": "1.0", "both": "1.2", "same": "1.0"}, held=["held"])
    monotonic.now += updates.interval
    upgraded = figures(await updates.collect())
    assert (upgraded["updates_pending apt"], upgraded["security_updates_pending apt"]) == (0, 1)
    apt_root.published({"app": "3.0"}, {"held": "1.1"})
    monotonic.now += updates.interval
    assert figures(await updates.collect())["updates_pending apt"] == 1
    assert updates.interval <= 60
