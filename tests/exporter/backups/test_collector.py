"""The backups collector: figures beside their limits, each backup in its own error boundary."""

import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.backups import seen
from exporter.backups.results import Result, Results, path_of, write
from exporter.backups.room import room_for
from tests.exporter.backups.backupdir import DAY, backup, make_set
from tests.exporter.backups.backupfigures import LIMITS, collector, figures
from tests.exporter.fakes import FakeClock


async def test_a_directory_beside_its_limits(tmp_path: Path) -> None:
    now = time.time()
    for days, size in ((1, 50), (2, 100), (3, 110), (4, 120), (80, 999)):
        made = make_set(tmp_path, f"backup-{days}", size, days)
        os.utime(made / "0.sql", (now - days * DAY, now - days * DAY))
    make_set(tmp_path, "backup-5.partial")
    config = backup(tmp_path, max_verify_age="8d", max_restore_test_age="100d", min_bytes="1KiB")
    found = await figures(collector(config))
    assert found.pop("last_success_timestamp_seconds") == pytest.approx(now - DAY, abs=1)
    assert found.pop("oldest_timestamp_seconds") == pytest.approx(now - 80 * DAY, abs=1)
    assert found == LIMITS | {
        "up": 1,
        "sets": 5,
        "in_progress": 0,
        "size_bytes": 50,
        "size_expected_bytes": 115,
        "size_min_bytes": 1024,
        "uncounted_sets_incomplete": 1,
        "uncounted_sets_unreadable": 0,
        "uncounted_sets_future": 0,
        "max_verify_age_seconds": 8 * DAY,
        "max_restore_test_age_seconds": 100 * DAY,
    }


async def test_no_set_at_all(tmp_path: Path) -> None:
    found = await figures(collector(backup(tmp_path)))
    uncounted = {f"uncounted_sets_{reason}": 0 for reason in ("incomplete", "unreadable", "future")}
    assert found == LIMITS | {"up": 1, "sets": 0, "in_progress": 0} | uncounted


async def test_a_set_of_the_future_hides_nothing_and_is_reported_once(tmp_path: Path) -> None:
    make_set(tmp_path, "backup-old", days=9)
    ahead = make_set(tmp_path, "backup-2035-01-01", days=-3000)
    config = collector(backup(tmp_path))
    with capture_logs() as lines:
        for _ in range(2):
            found = await figures(config)
            assert found["last_success_timestamp_seconds"] == pytest.approx(time.time() - 9 * DAY, abs=60)
            assert found["uncounted_sets_future"] == 1
        assert [(line["cause"], line["sets"], line["example"]) for line in lines] == [("future", 1, ahead.name)]
        (ahead / "0.sql").unlink()
        ahead.rmdir()
        assert (await figures(config))["uncounted_sets_future"] == 0
        assert len(lines) == 2


async def test_one_that_is_missing_is_down_and_costs_the_others_nothing(tmp_path: Path) -> None:
    make_set(tmp_path / "well", "b-1")
    backups = collector(backup(tmp_path / "gone"), backup(tmp_path / "well", "well"))
    with capture_logs() as lines:
        assert await figures(backups) == LIMITS | {"up": 0}
        assert (await figures(backups, "well"))["sets"] == 1
        assert [(line["backup"], line["log_level"]) for line in lines] == [("pa", "warning")], "once in two rounds"
        (tmp_path / "gone").mkdir()
        assert (await figures(backups))["up"] == 1
        assert [line["log_level"] for line in lines] == ["warning", "info"]


async def test_the_last_figures_stay_for_a_while(tmp_path: Path) -> None:
    clock = FakeClock()
    make_set(tmp_path / "pa", "b-1")
    backups = collector(backup(tmp_path / "pa"), monotonic=clock)
    await backups.collect()
    (tmp_path / "pa").rename(tmp_path / "elsewhere")
    clock.now += 300 + 2 * 60
    found = await figures(backups)
    assert (found["up"], found["sets"]) == (0, 1)
    clock.now += 1
    assert await figures(backups) == LIMITS | {"up": 0}


async def test_results_of_tasks(tmp_path: Path) -> None:
    checks = {"checksums": Result("b-1", True, 1000.5), "restored": Result("b-1", False, 2000.0)}
    write(tmp_path / "state", "pa", Results(checks, Result("b-1", True, 3000.0)))  # type: ignore[arg-type]
    (tmp_path / "sets").mkdir()
    found = await figures(collector(backup(tmp_path / "sets"), state_dir=tmp_path / "state"))
    assert {name: value for name, value in found.items() if "verify" in name or "restore" in name} == {
        "verify_success_checksums": 1,
        "verify_success_restored": 0,
        "last_verify_timestamp_seconds_checksums": 1000.5,
        "last_verify_timestamp_seconds_restored": 2000,
        "restore_test_success": 1,
        "last_restore_test_timestamp_seconds": 3000,
    }


async def test_results_that_are_broken_or_of_the_future_are_absent_and_reported_once(tmp_path: Path) -> None:
    write(tmp_path, "other", Results({"checksums": Result("b-1", True, 1000.0)}))
    sets = tmp_path / "sets"
    sets.mkdir()
    backups = collector(backup(sets), backup(sets, "other"), state_dir=tmp_path)
    path_of(tmp_path, "pa").write_text('{"version": 1, "backup"')

    async def verified(name: str) -> bool:
        return "verify_success_checksums" in await figures(backups, name)

    with capture_logs() as lines:
        for _ in range(2):
            assert not await verified("pa")
            assert await verified("other")
        write(tmp_path, "pa", Results({"checksums": Result("b-1", True, time.time() + 1000)}))
        assert not await verified("pa")
        write(tmp_path, "pa", Results({"checksums": Result("b-1", True, time.time())}))
        assert await verified("pa")
    assert [(line["log_level"], line["backup"]) for line in lines] == [("warning", "pa")] * 2 + [("info", "pa")]
    assert str(path_of(tmp_path, "pa")) in lines[0]["reason"]
    assert "of the future" in lines[1]["reason"]


async def test_what_retention_would_see_beside_its_note_has_a_metric(tmp_path: Path) -> None:
    """Another disk in place of the one that was there, and a clock that jumped: also before anything is to spare."""
    sets, state = tmp_path / "sets", tmp_path / "state"
    sets.mkdir()
    make_set(sets, "backup-1")
    config = backup(sets, keep={"last": 3}, make={"files": ["/srv"]})
    found = await figures(collector(config, state_dir=state))
    assert [found[f"retention_refused_{why}"] for why in ("clock", "missing")] == [0, 0]
    assert found["room_bytes"] > 0
    assert found["next_size_max_bytes"] == room_for(int(found["size_bytes"]))
    seen.note(state, "pa", time.time, ["backup-of-another-disk"])
    found = await figures(collector(config, state_dir=state))
    assert [found[f"retention_refused_{why}"] for why in ("clock", "missing")] == [0, 1]
    found = await figures(collector(config, state_dir=state, wall=lambda: time.time() + 2 * 3600))
    assert [found[f"retention_refused_{why}"] for why in ("clock", "missing")] == [1, 1]
