"""What clocks show on every kind of day, compared with looking at the clock minute by minute."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from remediator.config.window import DAYS, Window, minutes
from remediator.guards.wallclock import moment, opens_at

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
"""At 2:00 the clocks of Berlin show 3:00; at 3:00 they show 2:00 again."""


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def window(begins: str, ends: str, *days: str, zone: str = "Europe/Berlin") -> Window:
    return Window.model_validate({"from": begins, "to": ends, "days": days or DAYS, "timezone": zone})


@pytest.mark.parametrize(
    ("day", "clock", "zone", "utc"),
    [
        pytest.param(SPRING, "01:59", "Europe/Berlin", "2026-03-29T00:59", id="before the leap"),
        pytest.param(SPRING, "02:30", "Europe/Berlin", "2026-03-29T01:00", id="a time that there is not"),
        pytest.param(SPRING, "03:00", "Europe/Berlin", "2026-03-29T01:00", id="right after"),
        pytest.param(AUTUMN, "02:30", "Europe/Berlin", "2026-10-25T00:30", id="a time that comes twice"),
        pytest.param(AUTUMN, "03:00", "Europe/Berlin", "2026-10-25T02:00", id="after the second time"),
        pytest.param(date(2026, 7, 1), "24:00", "Europe/Berlin", "2026-07-01T22:00", id="the end of a day"),
        pytest.param(date(2018, 11, 4), "00:00", "America/Sao_Paulo", "2018-11-04T03:00", id="a day without midnight"),
        pytest.param(date(2026, 10, 4), "02:15", "Australia/Lord_Howe", "2026-10-03T15:30", id="half an hour"),
        pytest.param(date(2011, 12, 30), "12:00", "Pacific/Apia", "2011-12-30T10:00", id="a day that there was not"),
    ],
)
def test_the_first_moment_at_which_clocks_show_a_time_or_a_later_one(
    day: date, clock: str, zone: str, utc: str
) -> None:
    found = moment(day, minutes(clock), ZoneInfo(zone))
    assert datetime.fromtimestamp(found, UTC) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "now", "opens"),
    [
        pytest.param(window("20:00", "06:00"), "2026-11-27T19:59:59", "2026-11-27T20:00", id="not yet"),
        pytest.param(window("20:00", "06:00"), "2026-11-27T20:00", "2026-11-27T20:00", id="from its begin"),
        pytest.param(window("20:00", "06:00"), "2026-11-28T05:59:59", "2026-11-28T05:59:59", id="over midnight"),
        pytest.param(window("20:00", "06:00"), "2026-11-28T06:00", "2026-11-28T20:00", id="not at its end"),
        pytest.param(window("20:00", "06:00", "fri"), "2026-11-28T03:00", "2026-11-28T03:00", id="Friday's night"),
        pytest.param(window("20:00", "06:00", "sat"), "2026-11-28T03:00", "2026-11-28T20:00", id="not Saturday's"),
        pytest.param(window("00:00", "24:00", "sun"), "2026-11-29T23:59:59", "2026-11-29T23:59:59", id="a whole day"),
        pytest.param(window("00:00", "24:00", "sun"), "2026-11-30T00:00", "2026-12-06T00:00", id="and not the next"),
        pytest.param(window("02:15", "02:45", "sun"), "2026-03-28T12:00", "2026-04-05T02:15", id="lost in the leap"),
        pytest.param(window("02:15", "02:45"), "2026-03-29T03:10", "2026-03-30T02:15", id="nor made up for"),
        pytest.param(window("02:15", "05:00"), "2026-03-29T03:00", "2026-03-29T03:00", id="begins with the leap"),
    ],
)
def test_when_a_window_is_open(one: Window, now: str, opens: str) -> None:
    assert opens_at([one], at(now), UTC) == at(opens)


def test_an_hour_that_comes_twice_is_not_a_second_window() -> None:
    until_half_past = window("20:00", "02:30")
    assert opens_at([until_half_past], at("2026-10-25T02:29"), UTC) == at("2026-10-25T02:29")
    assert opens_at([until_half_past], at("2026-10-25T02:10", fold=1), UTC) == at("2026-10-25T20:00")
    from_half_past = window("02:30", "03:00")
    assert opens_at([from_half_past], at("2026-10-25T02:10", fold=1), UTC) == at("2026-10-25T02:10", fold=1)


def test_nights_have_the_hours_that_they_have() -> None:
    night = window("20:00", "06:00")
    for day, hours in (("2026-03-28", 9), ("2026-10-24", 11), ("2026-11-27", 10)):
        begins = at(f"{day}T20:00")
        assert opens_at([night], begins + hours * 3600 - 1, UTC) == begins + hours * 3600 - 1
        assert opens_at([night], begins + hours * 3600, UTC) == begins + (hours + 14) * 3600


def test_the_first_of_several_and_the_machines_zone_where_none_is_named() -> None:
    here = Window.model_validate({"from": "08:00", "to": "09:00"})
    assert opens_at([window("20:00", "21:00"), here], at("2026-11-27T07:00"), BERLIN) == at("2026-11-27T08:00")
    assert opens_at([here], at("2026-11-27T07:00"), UTC) == at("2026-11-27T08:00", "UTC")


@pytest.mark.parametrize("seed", range(40))
def test_it_is_as_looking_at_the_clock_minute_by_minute(seed: int) -> None:
    """A window is open from the first minute at which clocks show its begin, until they first show its end."""
    search = random.Random(seed)
    zone = search.choice(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"])
    begins, ends = search.sample(range(0, 24 * 60, 5), 2)
    days = search.sample(DAYS, search.randint(1, 7))
    one = window(f"{begins // 60:02}:{begins % 60:02}", f"{ends // 60:02}:{ends % 60:02}", *days, zone=zone)
    start = at(search.choice(["2026-03-07T12:00", "2026-03-28T12:00", "2026-10-24T12:00", "2026-10-03T12:00"]), "UTC")
    shown = [
        datetime.fromtimestamp(start + 60 * minute, ZoneInfo(zone)).replace(tzinfo=None)
        for minute in range(-3 * 1440, 4 * 1440)
    ]
    opened = [False] * len(shown)
    for day in {each.date() for each in shown}:
        if DAYS[day.weekday()] in one.days:
            first = datetime.combine(day, datetime.min.time()) + timedelta(minutes=begins)
            last = datetime.combine(day, datetime.min.time()) + timedelta(minutes=ends, days=ends < begins)
            begun = next((index for index, each in enumerate(shown) if each >= first), len(shown))
            ended = next((index for index, each in enumerate(shown) if each >= last), len(shown))
            opened[begun:ended] = [True] * max(0, ended - begun)
    for minute in range(0, 2 * 1440, 7):
        now = start + 60 * minute
        assert (opens_at([one], now, UTC) == now) is opened[3 * 1440 + minute], shown[3 * 1440 + minute]
