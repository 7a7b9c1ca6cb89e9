"""The logs collector: limits, missing directories, retention of the last figures."""

import os
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.collectors.logs import LogsCollector, LogUsage
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.inventory import DRILL_DIRECTORY, Inventory, with_drill
from exporter.inventory.logs import LogDirectory
from exporter.logdirs.meter import LogMeter
from tests.exporter.fakes import FakeClock


def directory(name: str, path: Path) -> LogDirectory:
    return LogDirectory.model_validate({"name": name, "path": str(path), "max_bytes": "1MiB"})


def collector(*directories: LogDirectory, monotonic: FakeClock | None = None, deadline: float = 10.0) -> LogsCollector:
    return LogsCollector(
        directories, CollectorSettings(deadline=deadline), stale_after=300, monotonic=monotonic or FakeClock()
    )


async def figures(logs: LogsCollector, name: str) -> dict[str, float]:
    """Values of one directory by metric."""
    return {
        sample.name: float(sample.value)
        for family in await logs.collect()
        for sample in family.samples
        if sample.labels["directory"] == name
    }


async def test_a_directory_with_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x" * 5000)
    os.utime(tmp_path / "a.log", (7000, 7000))
    assert await figures(collector(directory("app", tmp_path)), "app") == {
        "upkeeper_log_directory_up": 1,
        "upkeeper_log_max_bytes": 1024**2,
        "upkeeper_log_apparent_bytes": 5000,
        "upkeeper_log_allocated_bytes": (tmp_path / "a.log").stat().st_blocks * 512,
        "upkeeper_log_files": 1,
        "upkeeper_log_oldest_unrotated_timestamp_seconds": 7000,
    }


async def test_one_that_is_missing_is_down_and_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    logs = collector(directory("gone", tmp_path / "gone"), directory("app", tmp_path / "app"))
    with capture_logs() as lines:
        assert await figures(logs, "gone") == {"upkeeper_log_directory_up": 0, "upkeeper_log_max_bytes": 1024**2}
        assert (await figures(logs, "app"))["upkeeper_log_directory_up"] == 1
    assert [line["directory"] for line in lines] == ["gone"], "logged once in two rounds"


async def test_the_last_figures_stay_for_a_while(tmp_path: Path) -> None:
    monotonic = FakeClock()
    path = tmp_path / "app"
    path.mkdir()
    (path / "a.log").write_bytes(b"x")
    logs = collector(directory("app", path), monotonic=monotonic)
    await figures(logs, "app")
    path.rename(tmp_path / "away")
    monotonic.now += 300
    held = await figures(logs, "app")
    assert (held["upkeeper_log_directory_up"], held["upkeeper_log_files"]) == (0, 1)
    monotonic.now += 1
    assert "upkeeper_log_files" not in await figures(logs, "app")
    (tmp_path / "away").rename(path)
    assert (await figures(logs, "app"))["upkeeper_log_directory_up"] == 1


async def test_the_drill_directory_is_silent_while_it_does_not_exist(tmp_path: Path) -> None:
    inventory = with_drill(Inventory(), tmp_path / "drill")
    logs = collector(*inventory.logs)
    with capture_logs() as lines:
        assert await figures(logs, DRILL_DIRECTORY) == {}
        (tmp_path / "drill").mkdir()
        (tmp_path / "drill" / "a.log").write_bytes(b"x")
        assert (await figures(logs, DRILL_DIRECTORY))["upkeeper_log_files"] == 1
        (tmp_path / "drill" / "a.log").unlink()
        (tmp_path / "drill").rmdir()
        assert await figures(logs, DRILL_DIRECTORY) == {}
    assert lines == []


async def test_a_reload_begins_no_second_walk_beside_one_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    walks: list[str] = []

    def hang(meter: LogMeter, _: threading.Event) -> LogUsage:
        walks.append(meter.path)
        release.wait()
        raise OSError

    monkeypatch.setattr(LogMeter, "measure", hang)
    same, moved = directory("app", tmp_path), directory("app", tmp_path / "moved")
    try:
        running = collector(same, deadline=0.05)
        for each in (same, same, moved):
            await running.collect()
            former, running = running, collector(each, deadline=0.05)
            running.continue_from(former)
        await running.collect()
        assert walks == [same.path, moved.path]
    finally:
        release.set()


async def test_a_reload_keeps_the_last_figures_of_directories_that_are_the_same(tmp_path: Path) -> None:
    clock = FakeClock()
    names = ("same", "changed")
    for name in names:
        (tmp_path / name).mkdir()
    former = collector(*(directory(name, tmp_path / name) for name in names), monotonic=clock)
    await former.collect()
    (tmp_path / "same").rmdir()
    latter = collector(directory("same", tmp_path / "same"), directory("changed", tmp_path / "other"), monotonic=clock)
    latter.continue_from(former)
    assert (await figures(latter, "same"))["upkeeper_log_files"] == 0
    assert "upkeeper_log_files" not in await figures(latter, "changed")
