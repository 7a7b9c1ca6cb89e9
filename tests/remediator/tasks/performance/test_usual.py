"""Whether an hour is as it usually is, of weeks that are made."""

from random import Random

import pytest

from remediator.tasks.performance.analysis import row
from remediator.tasks.performance.figures import Compared
from remediator.tasks.performance.usual import HOUR, compare

NOW = 1_790_000_000.0
CPU = Compared("CPUs in use", "", "ratio", least=0.05)


def weeks(count: float, last: float, growth: float = 0.0, seed: int = 1) -> list[tuple[float, float]]:
    """Each Monday's first hour is busy, as now; all else is at rest. last: the value of the last hour."""
    dice = Random(seed)
    hours = int(count * 168)
    busy = {hour: 0.8 if hour % 168 == 0 else 0.1 for hour in range(hours)}
    values = [(NOW - hour * HOUR, busy[hour] + dice.gauss(0, 0.01) - growth * hour / 168) for hour in range(hours)]
    values[0] = (NOW, last)
    return values[::-1]


def test_what_is_busy_each_monday_is_usual_on_a_monday() -> None:
    found = compare(weeks(5, 0.79), NOW)
    assert found is not None
    assert (found.judgement, found.compared) == ("usual", 4)
    assert found.usual == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("last", "judgement"), [(1.2, "higher"), (0.1, "lower"), (0.85, "usual")])
def test_an_hour_that_is_not_as_others_of_its_kind(last: float, judgement: str) -> None:
    found = compare(weeks(5, last), NOW)
    assert found is not None
    assert found.judgement == judgement


def test_of_two_weeks_the_same_hour_of_each_day_counts() -> None:
    found = compare(weeks(2, 0.5), NOW)
    assert found is not None
    assert (found.compared, found.judgement) == (13, "usual")  # a Monday was among them
    assert compare(weeks(2, 0.95), NOW).judgement == "higher"  # type: ignore[union-attr]


def test_of_three_days_nothing_is_usual_yet() -> None:
    found = compare(weeks(3 / 7, 0.5), NOW)
    assert found is not None
    assert (found.judgement, found.usual, found.trend) == ("too young", None, None)


def test_without_the_last_hour_there_is_nothing_to_compare() -> None:
    assert compare(weeks(5, 0.5)[:-1], NOW) is None
    assert compare(weeks(5, float("nan")), NOW) is None
    assert compare([], NOW) is None


def test_the_trend_is_of_whole_days() -> None:
    found = compare(weeks(5, 0.8, growth=0.2), NOW)
    assert found is not None
    assert found.trend == pytest.approx(0.2, abs=0.02)
    shown = row(CPU, "host", found)
    assert (shown.says, shown.trend_share) == ("grows", pytest.approx(found.trend / found.mean))


def test_what_nobody_would_notice_is_usual_and_level() -> None:
    samples = [(NOW - hour * HOUR, 0.001 + (0.01 if hour == 0 else 0.0)) for hour in range(840)][::-1]
    found = compare(samples, NOW)
    assert found is not None
    assert found.judgement == "higher"
    shown = row(CPU, "host", found)
    assert (shown.judgement, shown.says, shown.trend) == ("usual", "level", 0.0)


def test_a_healthy_month_is_seldom_unusual() -> None:
    """Of hours that differ by chance alone, at most one in ten is called unusual."""
    called = 0
    for seed in range(200):
        dice = Random(seed)
        samples = [(NOW - hour * HOUR, 10 + dice.gauss(0, 1)) for hour in range(840)][::-1]
        found = compare(samples, NOW)
        assert found is not None
        called += found.judgement != "usual"
    assert called <= 20
