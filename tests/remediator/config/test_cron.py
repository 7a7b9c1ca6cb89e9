"""Cron expressions in zones: the two nights of the year, half hours, and what is refused."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.config.cron import CronError, parse_cron

ZONES = ("Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca", "America/New_York", "UTC")


def shown(text: str, zone: str, start: str, count: int) -> list[str]:
    """The first due times after a local time, with their offsets."""
    place = ZoneInfo(zone)
    times = parse_cron(text, place).times(datetime.fromisoformat(start).replace(tzinfo=place).timestamp())
    return [datetime.fromtimestamp(due, place).strftime("%d %H:%M%z") for due in islice(times, count)]


def test_a_time_that_the_clocks_leave_out_comes_at_the_first_minute_after() -> None:
    assert shown("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 3) == [
        "29 03:00+0200",
        "30 02:30+0200",
        "31 02:30+0200",
    ]
    assert shown("0 0 * * *", "America/Santiago", "2026-09-05T12:00", 2) == ["06 01:00-0300", "07 00:00-0300"]


def test_times_that_fall_together_in_the_missing_hour_are_one() -> None:
    assert shown("0 2,3 * * *", "Europe/Berlin", "2026-03-28T22:00", 2) == ["29 03:00+0200", "30 02:00+0200"]
    assert shown("15,45 2 * * *", "Europe/Berlin", "2026-03-28T22:00", 2) == ["29 03:00+0200", "30 02:15+0200"]


def test_a_time_that_the_clocks_show_twice_comes_once() -> None:
    assert shown("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == ["25 02:30+0200", "26 02:30+0100"]


def test_asked_in_the_second_of_the_two_hours_it_is_over() -> None:
    place = ZoneInfo("Europe/Berlin")
    second = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=place).timestamp()
    due = parse_cron("30 2 * * *", place).after(second)
    assert due == datetime(2026, 10, 26, 2, 30, tzinfo=place).timestamp()


def test_every_so_often_goes_by_elapsed_time() -> None:
    assert shown("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:40", 5) == [
        "25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 03:00+0100",
    ]  # fmt: skip


def test_a_change_of_half_an_hour_loses_nothing() -> None:
    assert shown("*/15 4 * * *", "Australia/Lord_Howe", "2026-10-03T23:00", 4) == [
        "04 04:00+1100", "04 04:15+1100", "04 04:30+1100", "04 04:45+1100",
    ]  # fmt: skip
    assert shown("0 * * * *", "Australia/Lord_Howe", "2026-10-04T00:30", 3) == [
        "04 01:00+1030", "04 03:00+1100", "04 04:00+1100",
    ]  # fmt: skip


NIGHTS = (
    "2026-03-28T20",
    "2026-10-24T20",
    "2026-09-05T20",
    "2026-04-04T08",
    "2026-10-03T08",
    "2026-02-14T22",
    "2026-03-21T22",
)
"""Shortly before the clocks change in one of the zones."""
starts = st.one_of(
    st.sampled_from([datetime.fromisoformat(f"{night}:00+00:00") for night in NIGHTS]),
    st.integers(1_577_836_800, 2_051_222_400).map(lambda moment: datetime.fromtimestamp(moment, UTC)),
)
minutes, hours = st.integers(0, 59), st.integers(0, 23)


@settings(max_examples=40, deadline=None)
@given(zone=st.sampled_from(ZONES), start=starts, minute=minutes, hour=hours)
def test_a_daily_job_comes_once_on_each_day_of_its_zone(zone: str, start: datetime, minute: int, hour: int) -> None:
    place = ZoneInfo(zone)
    due = [
        datetime.fromtimestamp(each, place)
        for each in islice(parse_cron(f"{minute} {hour} * * *", place).times(start.timestamp()), 200)
    ]
    assert all(later.date() - earlier.date() == timedelta(days=1) for earlier, later in pairwise(due))
    for each in due:
        wanted = each.replace(hour=hour, minute=minute, fold=0, tzinfo=None)
        if each.replace(tzinfo=None) != wanted:  # only where the clocks left the wanted time out
            there = wanted.replace(tzinfo=place)
            assert there.astimezone(UTC).astimezone(place).replace(tzinfo=None) != wanted
            assert each.replace(tzinfo=None) > wanted


@settings(max_examples=20, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=starts,
    text=st.sampled_from(
        ["*/5 * * * *", "0 * * * *", "*/15 3,4 * * *", "7 */2 * * 1-5", "* 1 1 * *", "*/20 0-6 * * *"]
    ),
)
def test_elapsed_times_are_the_minutes_whose_face_matches(zone: str, start: datetime, text: str) -> None:
    """Against the definition: every minute of a day is asked what the clocks show then."""
    place = ZoneInfo(zone)
    begin = start.replace(second=0, microsecond=0)
    cron = parse_cron(text, place)
    end = begin + timedelta(days=1)
    naive = parse_cron(text)

    def matches(moment: datetime) -> bool:
        face = moment.astimezone(place).replace(tzinfo=UTC).timestamp()
        return naive.after(face - 1) == face

    every = [begin + timedelta(minutes=number) for number in range(1, 1440 + 1)]
    expected = [moment.timestamp() for moment in every if matches(moment)]
    assert list(cron.between(begin.timestamp(), end.timestamp())) == expected


@settings(max_examples=50, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=starts,
    text=st.sampled_from(["30 2 * * *", "0,30 0-5 * * *", "*/10 * * * *", "15 2,3 * * 0", "0 0 L * *"]),
    jumps=st.lists(st.integers(1, 7200), min_size=1, max_size=30),
)
def test_asked_anew_at_any_moment_the_times_are_the_same(
    zone: str, start: datetime, text: str, jumps: list[int]
) -> None:
    cron = parse_cron(text, ZoneInfo(zone))
    begin = start.timestamp()
    whole = list(cron.between(begin, begin + sum(jumps)))
    pieces, at = [], begin
    for jump in jumps:
        pieces += cron.between(at, at + jump)
        at += jump
    assert pieces == whole
    assert whole == sorted(set(whole))
    if whole:
        assert cron.last(begin + sum(jumps)) == whole[-1]


@settings(max_examples=50, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=starts,
    text=st.sampled_from(["30 2 * * *", "*/10 * * * *", "15 2,3 * * 0", "0 0 L * *"]),
    moments=st.lists(st.integers(-90_000, 90_000), min_size=1, max_size=12),
)
def test_whatever_was_asked_before_the_next_due_time_is_the_same(
    zone: str, start: datetime, text: str, moments: list[int]
) -> None:
    cron = parse_cron(text, ZoneInfo(zone))
    for moment in (start.timestamp() + each for each in moments):
        assert cron.after(moment) == next(cron.times(moment), None)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789*/,-L#W @abcMONJAN?٣\t", max_size=30))
def test_any_text_is_an_expression_or_one_clear_error(text: str) -> None:
    try:
        cron = parse_cron(text)
    except CronError as refusal:
        error = str(refusal)
    else:
        error = ""
        assert cron.after(0) is not None
    assert "\n" not in error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("61 * * * *", "'61' is no minute: it takes 0-59"),
        ("0 24 * * *", "'24' is no hour: it takes 0-23"),
        ("0 0 32 * *", "'32' is no day of the month: it takes 1-31, L for the last, LW for the last weekday"),
        ("0 0 31 2 *", "'0 0 31 2 *' never comes: no month named has that day"),
        ("0 0 30,31 2 *", "'0 0 30,31 2 *' never comes: no month named has that day"),
        ("0 0 2 * * *", "'0 0 2 * * *' has six fields, which programs read differently (seconds first, or last); "
                        "write five: minute, hour, day, month, weekday"),
        ("0 2", "'0 2' must have five fields: minute, hour, day, month, weekday; as in '0 2 * * *'"),
        ("@reboot", "'@reboot' is not known; write five fields, or one of @yearly, @annually, @monthly, @weekly, "
                    "@daily, @midnight, @hourly"),
        ("\u0661 * * * *", "'\\u0661' is no minute: it takes 0-59"),
        ("9" * 300, "is longer than 200 characters; a cron expression has five fields"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_would_be_right(text: str, error: str) -> None:
    with pytest.raises(CronError) as refusal:
        parse_cron(text)
    assert str(refusal.value) == error


def test_a_leap_day_comes() -> None:
    assert shown("0 0 29 2 *", "UTC", "2026-01-01T00:00", 1) == ["29 00:00+0000"]


def test_words_stand_for_expressions() -> None:
    assert parse_cron("@daily").text == "0 0 * * *"
