"""Dates in the names of backups."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from exporter.backups.set_names import date_in, final_name

DAY = 86400


@pytest.fixture(autouse=True)
def _local_time(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Local time is one or two hours ahead of UTC, unless a test asks for another zone."""
    monkeypatch.setenv("TZ", getattr(request, "param", "Europe/Berlin"))
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


@pytest.mark.parametrize("_local_time", ["Asia/Tokyo", "America/Los_Angeles", "UTC"], indirect=True)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # A fraction of a second, as programs write it, and as it becomes where a name may hold neither colon nor dot.
        ("pa-2026-11-24T05:26:04.123Z", "05:26:04"),
        ("pa-2026-11-24T05-26-04-123Z.tar.gz", "05:26:04"),
        ("pa-2026-11-24T05_26_04_123Z", "05:26:04"),
        ("pa-20261124T052604.123456789Z", "05:26:04"),
        ("pa-20261124052604123Z", "05:26:04"),
        ("2026-11-24T05:26:04,5+00:00", "05:26:04"),
        ("2026-11-24T05-26-04.123456-05-00", "10:26:04"),
        ("2026-11-24 05:26:04.123456+02", "03:26:04"),
        # Zones as words.
        ("pa_2026-11-24_05-26-04_UTC", "05:26:04"),
        ("pa_2026-11-24_05-26_GMT.sql", "05:26:00"),
        ("pa-20261124052604-UTC.sql", "05:26:04"),
        ("pa-2026-11-24 05:26:04 UTC", "05:26:04"),
        ("pa-2026-11-24T0526UTC", "05:26:00"),
        ("pa-2026-11-24_05-26-04_utc-full", "05:26:04"),
        ("pa-2026-11-24_052604_UTC+0200", "03:26:04"),
        ("pa-2026-11-24_052604-GMT-05:00", "10:26:04"),
        # Names that a store wrote in small letters.
        ("pa-20261124t052604z", "05:26:04"),
        ("pa-2026-11-24t05-26-04-123z", "05:26:04"),
        # Dots, as where a name may hold no colon.
        ("pa-2026-11-24T05.26.04Z.sql", "05:26:04"),
        ("pa-2026-11-24T05.26Z.sql", "05:26:00"),
        ("pa-2026-11-24T05.26.04.123Z", "05:26:04"),
        ("pa_2026-11-24_05.26.04_UTC", "05:26:04"),
        ("pa-2026-11-24T05.26.04+05.30", "2026-11-23T23:56:04"),
        # Other marks in the date.
        ("pa_2026_11_24_05_26_04_UTC.sql", "05:26:04"),
        ("2026.11.24-05.26.04Z", "05:26:04"),
        ("pa-2026_11_24T052604Z", "05:26:04"),
        # Offsets.
        ("2026-11-24T05:26:04+0530", "2026-11-23T23:56:04"),
        ("2026-11-24T05-26-04+02-00", "03:26:04"),
        ("2026-11-24T05_26_04+02_00.tar", "03:26:04"),
        ("2026-11-24T05-26-04-05-00", "10:26:04"),
        ("20261124T052604-0330.sql", "08:56:04"),
        ("2026-11-24_05:26:04-05", "10:26:04"),
        ("2026-11-24 05:26:04 -0500", "10:26:04"),
        ("2026-11-24_05-26-04_+1400", "2026-11-23T15:26:04"),
    ],
)
def test_a_moment_with_its_zone_is_the_same_everywhere(name: str, expected: str) -> None:
    found = date_in(name)
    assert found is not None
    at = utc(expected if "T" in expected else f"2026-11-24T{expected}")
    assert (found.first, found.last) == (at, at)


@pytest.mark.parametrize(
    "name",
    [
        "2026-11-24T05-26-04",
        "2026-11-24_05-26-04-123",  # a number, or a fraction; local time with either
        "2026-11-24_05-26-04.123",
        "20261124052604123",
        "2026-11-24T05-26-04Zebra",
        "2026-11-24T05-26-04Z2",
        "2026-11-24_05-26-04_GMTools.tar",
        "2026-11-24_05-26-04_UTC2",
        "2026-11-24_05-26-04_CET",  # which is one zone here, and names another elsewhere
        "2026-11-24_05-26-04-0100.sql",  # numbers, though there are zones of these names
        "2026-11-24_05-26-04-01",
        "20261124-052604-0500",
        "2026-11-24T05-26-04-0001",
        "2026-11-24T05-26-04+9900",
        "2026-11-24T05-26-04+02000",
        "2026-11-24T05-26-04-05-001",
        "2026-11-24_05-26-04_2026-11-25",
        "2026-11-24T05:26:04.1234567890Z",
    ],
)
def test_what_only_looks_like_a_zone(name: str) -> None:
    found = date_in(name)
    assert found is not None
    assert (found.first, found.last) == (utc("2026-11-24T04:26:04"), utc("2026-11-24T04:26:04"))


@pytest.mark.parametrize(
    "name",
    ["backup-2026-11-24", "20261124.sql.gz", "pa_2026-11-24_full", "2026-11-24-9", "2026-11-24-9999", "20261124-v1.2",
     "db_2026_11_24.sql", "2026.11.24.sql.gz", "pa-2026.11.24-full.tar", "db-2026-11-24-10.11.sql"],
)  # fmt: skip
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
        "2026-1124", "18991231", "v2026.11.24", "app-V2026.11.24.tar", "2026.11.24.1", "1.2026.11.24", "2026_1124",
        "2026.11-24", "2026_13_01", "٢٠٢٦١١٢٤",
    ],
)  # fmt: skip
def test_what_is_no_date(name: str) -> None:
    assert date_in(name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2026-99-99-of-2026-11-24-02-00-00-and-2020-01-01", "2026-11-24T01:00:00"),  # the one with a time
        ("20240101-2026-11-24_02-00", "2026-11-24T01:00:00"),
        ("app-2026.11.30-20261124_020000.tar", "2026-11-24T01:00:00"),
        ("20261124_020000-app-2026.11.30.tar", "2026-11-24T01:00:00"),
        ("x-20240101-2026-11-24.sql", "2026-11-23T23:00:00"),  # the last; 2026 is no time of the first
        ("x-2024-01-01_2026_11_24.sql", "2026-11-23T23:00:00"),
        ("x-20240101-20261124.sql", "2026-11-23T23:00:00"),
        ("2026-11-24-app-2026.11.30.tar", "2026-11-23T23:00:00"),  # what may be a version comes last
        ("app-2026.11.30-2026-11-24.tar", "2026-11-23T23:00:00"),
        ("2026-11-24-2026-99-99", "2026-11-23T23:00:00"),
    ],
)
def test_of_several_dates(name: str, expected: str) -> None:
    found = date_in(name)
    assert found is not None
    assert found.first == utc(expected)


def test_an_evening_beside_a_number_is_no_year() -> None:
    for name in ("x-20261124-2026.sql", "x-20261124-2026-11.sql", "x-2026-11-24_2026-1-2.sql"):
        found = date_in(name)
        assert found is not None
        assert found.first == utc("2026-11-24T19:26:00"), name


def test_temporary_names() -> None:
    assert final_name("backup-2026-11-24.partial") == "backup-2026-11-24"
    assert final_name("x.sql.gz.tmp") == "x.sql.gz"
    assert final_name("x.sql.gz") is None
    assert final_name("partial") is None
