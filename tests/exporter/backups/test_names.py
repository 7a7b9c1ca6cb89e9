"""Dates in the names of backups."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from exporter.backups.names import date_in, final_name

DAY = 86400


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is one or two hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("backup-2026-11-24_020000", "2026-11-24T01:00:00"),
        ("backup-2026-07-24_020000", "2026-07-24T00:00:00"),  # summer time
        ("backup-20261124_020000", "2026-11-24T01:00:00"),
        ("backup-20261124-020000.tar.gz", "2026-11-24T01:00:00"),
        ("db_20261124020000.sql.gz", "2026-11-24T01:00:00"),
        ("db-2026-11-24T02:00:00Z.sql", "2026-11-24T02:00:00"),
        ("db-20261124T020030Z.sql", "2026-11-24T02:00:30"),
        ("2026-11-24T02:00:00+05:30", "2026-11-23T20:30:00"),
        ("2026-11-24T020000-05:00", "2026-11-24T07:00:00"),
        ("2026-11-24 02-00-30", "2026-11-24T01:00:30"),
        ("2026-11-24_02-00", "2026-11-24T01:00:00"),
        ("a\n2026-11-24_0200\udcff", "2026-11-24T01:00:00"),
    ],
)
def test_moments(name: str, expected: str) -> None:
    found = date_in(name)
    assert found is not None
    assert (found.first, found.last) == (utc(expected), utc(expected))


@pytest.mark.parametrize(
    "name",
    ["backup-2026-11-24", "20261124.sql.gz", "pa_2026-11-24_full", "2026-11-24-9", "2026-11-24-9999", "20261124-v1.2"],
)
def test_a_day_alone_is_each_moment_of_it_in_local_time(name: str) -> None:
    found = date_in(name)
    assert found is not None
    assert (found.first, found.last) == (utc("2026-11-23T23:00:00"), utc("2026-11-24T22:59:59"))
    assert found.narrowed(found.first + 7200) == found.first + 7200
    assert found.narrowed(found.first - 9 * DAY) == found.first
    assert found.narrowed(found.last + 9 * DAY) == found.last


def test_a_day_of_a_change_of_clocks_is_shorter() -> None:
    found = date_in("2026-03-29")
    assert found is not None
    assert found.last - found.first + 1 == 23 * 3600


@pytest.mark.parametrize(
    "name",
    [
        "", "backup", "db-12345678.sql", "2026-13-01", "2026-02-30", "2026-1-2", "120261124", "202611245", "24-11-2026",
        "2026-1124", "18991231", "v2026.11.24", "٢٠٢٦١١٢٤",
    ],
)  # fmt: skip
def test_what_is_no_date(name: str) -> None:
    assert date_in(name) is None


def test_of_several_dates_the_first_that_is_one() -> None:
    found = date_in("2026-99-99-of-2026-11-24-02-00-00-and-2020-01-01")
    assert found is not None
    assert found.first == utc("2026-11-24T01:00:00")


def test_temporary_names() -> None:
    assert final_name("backup-2026-11-24.partial") == "backup-2026-11-24"
    assert final_name("x.sql.gz.tmp") == "x.sql.gz"
    assert final_name("x.sql.gz") is None
    assert final_name("partial") is None
