"""The systemd collector, with a systemctl of the test's own: systemd is PID 1 in no container."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.base.programs import CommandFailed
from exporter.collectors.systemd import SystemdCollector, parse_manager, parse_units
from exporter.inventory.host import SystemdSettings
from tests.exporter.host.test_collector import figures
from tests.exporter.scripts import HANG, alive, path_first, script
from tests.helpers import wait_until

LEGEND = """backup.service         loaded failed failed Back up everything
run-u12.service        loaded failed failed /bin/false
"""


@pytest.fixture
def bin_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path_first(monkeypatch, tmp_path / "bin")
    return tmp_path / "bin"


def systemctl(directory: Path, state: str, failed: int, units: str = "") -> None:
    (directory.parent / "units").write_text(units)
    script(
        directory,
        "systemctl",
        f"""
case "$*" in
  *show*) echo NFailedUnits={failed}; echo SystemState={state};;
  *list-units*--state=failed*) cat {directory.parent}/units;;
  *) exit 1;;
esac""",
    )


def collector(tmp_path: Path, deadline: float = 10) -> SystemdCollector:
    return SystemdCollector(SystemdSettings(deadline=deadline), booted=tmp_path)


async def test_a_system_that_is_well(tmp_path: Path, bin_directory: Path) -> None:
    systemctl(bin_directory, "running", 0)
    found = figures(await collector(tmp_path).collect())
    assert found["systemd_failed_units"] == 0
    assert {name for name, value in found.items() if value} == {"systemd_state running"}
    assert len(found) == 7


async def test_units_that_failed_are_named_once_in_the_log(tmp_path: Path, bin_directory: Path) -> None:
    systemctl(bin_directory, "degraded", 2, LEGEND)
    systemd = collector(tmp_path)
    with capture_logs() as lines:
        for _ in range(3):
            found = figures(await systemd.collect())
            assert (found["systemd_failed_units"], found["systemd_state degraded"]) == (2, 1)
        systemctl(bin_directory, "running", 0)
        await systemd.collect()
    assert [line["event"] for line in lines] == ["systemd units failed", "no failed systemd units any more"]
    assert lines[0]["units"] == ["backup.service", "run-u12.service"]


async def test_without_systemd_nothing_is_run_and_nothing_told(tmp_path: Path, bin_directory: Path) -> None:
    script(bin_directory, "systemctl", f"touch {tmp_path}/asked")
    assert figures(await collector(tmp_path / "nowhere").collect()) == {}
    assert not (tmp_path / "asked").exists()


async def test_a_systemctl_that_fails(tmp_path: Path, bin_directory: Path) -> None:
    script(bin_directory, "systemctl", "echo 'Failed to connect to bus: No such file or directory' >&2; exit 1")
    with pytest.raises(CommandFailed, match="systemctl show: exit status 1: Failed to connect to bus"):
        await collector(tmp_path).collect()


async def test_a_systemctl_that_hangs_is_killed_with_its_children(tmp_path: Path, bin_directory: Path) -> None:
    pids = tmp_path / "pids"
    script(bin_directory, "systemctl", HANG.format(pids=pids))
    with pytest.raises(TimeoutError):
        await collector(tmp_path, deadline=1).collect()
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 4
    await wait_until(lambda: not alive(started))


@pytest.mark.parametrize("text", ["", "NFailedUnits=\nSystemState=running", "NFailedUnits=1", "nonsense"])
def test_an_answer_of_another_form(text: str) -> None:
    with pytest.raises(CommandFailed, match="unexpected answer"):
        parse_manager(text)


def test_names_of_units() -> None:
    assert parse_units(LEGEND) == ["backup.service", "run-u12.service"]
    assert parse_units("\n") == []
