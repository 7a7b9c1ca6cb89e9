"""What is owed at a look: on time, late, after a night off, after the clocks or the schedule changed."""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.config.cron import Cron, parse_cron
from remediator.config.schedule import Job
from remediator.model.job import JobRecord
from remediator.schedule.due import MOST, Look, begins_at, look, look_after_change

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
DAY = 86400.0


def job(at: str = "0 2 * * *", **more: object) -> Job:
    return Job.model_validate({"name": "tidy", "at": at, "task": "sweep", **more})


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def seen(one: Job, before: str, now: str, taken: tuple[float, ...] = ()) -> Look:
    return look(one, parse_cron(one.at, BERLIN), "kitchen", at(before), at(now), taken=taken, late="it was off")


def said(found: Look) -> list[tuple[str, str, int]]:
    return [
        (each.what, datetime.fromtimestamp(each.due_at, BERLIN).strftime("%d %H:%M"), each.count) for each in found.owed
    ]


def test_on_time_it_runs_and_nothing_is_said_of_it() -> None:
    found = seen(job(), "2026-06-01T12:00", "2026-06-02T02:00")
    assert said(found) == [("run", "02 02:00", 1)]
    assert found.owed[0].reason == ""
    assert found.handled_until == at("2026-06-02T02:00")


def test_before_its_time_nothing_is_owed() -> None:
    assert seen(job(), "2026-06-01T12:00", "2026-06-02T01:59:59").owed == []


def test_after_nights_off_one_run_makes_up_for_all() -> None:
    found = seen(job(), "2026-06-01T12:00", "2026-06-03T12:00")
    assert said(found) == [("missed", "02 02:00", 1), ("run", "03 02:00", 1)]
    assert found.owed[1].reason == "10h late: it was off"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("skip", [("missed", "03 02:00", 2)]),
        ("once", [("missed", "02 02:00", 1), ("run", "03 02:00", 1)]),
        ("all", [("run", "02 02:00", 1), ("run", "03 02:00", 1)]),
    ],
)
def test_the_policy_says_what_is_made_up(policy: str, expected: list[tuple[str, str, int]]) -> None:
    assert said(seen(job(catch_up=policy), "2026-06-01T12:00", "2026-06-03T12:00")) == expected


def test_skip_still_runs_what_is_on_time() -> None:
    found = seen(job(catch_up="skip"), "2026-06-01T12:00", "2026-06-03T02:00:30")
    assert said(found) == [("missed", "02 02:00", 1), ("run", "03 02:00", 1)]


def test_what_is_older_than_the_policy_allows_is_missed() -> None:
    found = seen(job(catch_up_within="2d"), "2026-06-01T12:00", "2026-06-10T12:00")
    assert said(found) == [("missed", "08 02:00", 7), ("missed", "09 02:00", 1), ("run", "10 02:00", 1)]
    assert "catch_up_within" in found.owed[0].reason


def test_of_very_many_only_so_many_are_counted_and_made_up() -> None:
    found = seen(job("* * * * *", catch_up="all", catch_up_within="1d"), "2026-01-01T00:00", "2026-06-10T12:00")
    assert [each.what for each in found.owed] == ["missed", "missed", *["run"] * MOST]
    assert found.owed[0].count == 1000
    assert found.owed[0].due_at == at("2026-06-09T12:00")


def test_a_clock_that_was_set_back_lets_no_time_come_twice() -> None:
    ran = at("2026-06-02T02:00")
    found = seen(job(), "2026-06-02T02:00", "2026-06-02T01:00")
    assert (found.owed, found.handled_until) == ([], at("2026-06-02T01:00"))
    again = look(job(), parse_cron("0 2 * * *", BERLIN), "kitchen", found.handled_until, ran, taken={ran}, late="")
    assert (again.owed, again.handled_until) == ([], ran)


def test_jitter_delays_the_begin_always_by_the_same() -> None:
    one = job(jitter="10m")
    due = at("2026-06-02T02:00")
    begins = begins_at(one, "kitchen", due)
    assert due <= begins <= due + 600
    assert begins == begins_at(one, "kitchen", due)
    assert begins != begins_at(one, "attic", due)
    cron = parse_cron(one.at, BERLIN)
    early = look(one, cron, "kitchen", due - DAY, begins - 1, taken={due - DAY}, late="")
    assert early.owed == []
    assert [each.due_at for each in look(one, cron, "kitchen", early.handled_until, begins, late="").owed] == [due]


moments = st.floats(1_700_000_000, 1_900_000_000)


@settings(max_examples=60, deadline=None)
@given(
    start=moments,
    steps=st.lists(st.floats(-3 * DAY, 5 * DAY), min_size=1, max_size=15),
    text=st.sampled_from(["30 2 * * *", "*/30 * * * *", "0 3 * * 0", "15 0,2,3 * * *"]),
    policy=st.sampled_from(["once", "skip", "all"]),
    zone=st.sampled_from(["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca"]),
    jitter=st.sampled_from([0, 600]),
)
def test_whatever_the_clock_does_no_time_runs_twice_and_none_is_lost(
    start: float, steps: list[float], text: str, policy: Literal["once", "skip", "all"], zone: str, jitter: float
) -> None:
    """The clock jumps forward and back; each look has in the record what the ones before it led to."""
    one = job(text, catch_up=policy, jitter=jitter)
    cron = parse_cron(text, ZoneInfo(zone))
    ran: list[float] = []
    missed: list[tuple[float, float]] = []
    position = now = start
    for step in steps:
        now += step
        missed = [(first, last) for first, last in missed if last <= now]  # what to_shorten does, roughly
        found = look(one, cron, "kitchen", position, now, taken=set(ran), late="off")
        position = found.handled_until
        for each in found.owed:
            assert begins_at(one, "kitchen", each.due_at) <= now
            if each.what == "run":
                assert each.due_at not in ran
                ran.append(each.due_at)
            else:
                missed.append((each.first_due_at, each.due_at))
    # Every time that has come since the clock was last set back is in the record, one way or the other.
    lowest = max(now - 1, position) if steps[-1] < 0 else now - steps[-1]
    for due in cron.between(max(lowest, start), position):
        assert due in ran or any(first <= due <= last for first, last in missed)


# A schedule, or a zone, that is not what it was.


def record(one: Job, zone: ZoneInfo, handled: float, last: float | None = None) -> JobRecord:
    return JobRecord(
        name=one.name, task=one.task, target=one.target, at=one.at, timezone=str(zone), since=0.0,
        handled_until=handled, done_until=handled, last_due_at=last,
    )  # fmt: skip


def changed(one: Job, before: JobRecord, was: Cron, cron: Cron, now: float) -> list[tuple[str, float]]:
    found = look_after_change(one, before, was, cron, "kitchen", now, taken=(), late="it was off")
    assert found.handled_until == now
    return [(each.what, each.due_at) for each in found.owed]


def test_a_new_time_that_has_passed_today_is_not_owed() -> None:
    old, new = job("0 2 * * *"), job("0 3 * * *")
    last = at("2026-06-02T02:00")
    now = at("2026-06-02T12:00")
    was, cron = parse_cron(old.at, BERLIN), parse_cron(new.at, BERLIN)
    assert changed(new, record(old, BERLIN, last, last), was, cron, now) == []


def test_what_came_by_the_old_schedule_while_the_machine_was_off_is_owed() -> None:
    old, new = job("0 2 * * *"), job("0 5 * * *")
    was, cron = parse_cron(old.at, BERLIN), parse_cron(new.at, BERLIN)
    before = record(old, BERLIN, at("2026-06-01T12:00"))
    assert changed(new, before, was, cron, at("2026-06-02T04:00")) == [("run", at("2026-06-02T02:00"))]


def test_another_task_does_not_make_up_what_the_old_one_owed() -> None:
    old, new = job(), job(task="other")
    cron = parse_cron(old.at, BERLIN)
    before = record(old, BERLIN, at("2026-06-01T12:00"))
    assert changed(new, before, cron, cron, at("2026-06-02T04:00")) == [("missed", at("2026-06-02T02:00"))]


def test_travelling_west_the_same_morning_does_not_come_again() -> None:
    one = job()
    last = at("2026-06-02T02:00", BERLIN)
    was, cron = parse_cron(one.at, BERLIN), parse_cron(one.at, NEW_YORK)
    before = record(one, BERLIN, last, last)
    again = at("2026-06-02T02:00", NEW_YORK)
    assert changed(one, before, was, cron, at("2026-06-02T05:00", BERLIN)) == [("skipped", again)]


def test_travelling_east_a_morning_that_was_jumped_over_is_owed() -> None:
    one = job()
    last = at("2026-06-01T02:00", NEW_YORK)
    was, cron = parse_cron(one.at, NEW_YORK), parse_cron(one.at, BERLIN)
    before = record(one, NEW_YORK, last, last)
    jumped = at("2026-06-02T02:00", BERLIN)
    assert changed(one, before, was, cron, at("2026-06-01T23:00", NEW_YORK)) == [("run", jumped)]


def test_what_goes_by_elapsed_time_does_not_care_for_the_zone() -> None:
    one = job("*/10 * * * *")
    last = at("2026-06-02T02:00", BERLIN)
    was, cron = parse_cron(one.at, BERLIN), parse_cron(one.at, NEW_YORK)
    assert changed(one, record(one, BERLIN, last, last), was, cron, last + 60) == []
