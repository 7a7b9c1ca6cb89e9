"""A growth that has begun or become faster lately, such as of a log that runs away: since when. Pure.

The growth of a month is the median of all its days, which hardly notices what began this week. What is meant here is a
rise that this series has never had in as many days, and that goes on.
"""

from collections.abc import Sequence
from math import sqrt

from remediator.forecast.days import Day
from remediator.forecast.trend import WEEK, Trend, straying, trend

SHORTEST = 2
"""Days of such a rise."""
FLAT_DAYS = 5
"""Days before it that are known of, at least."""
FLAT_SHARE = 0.1
"""Of its rise, by which these differ at most where there are no more than a few."""
TIMES = 2.0
"""The highest rise of as many days before, which it has more than."""
DEVIATIONS = 4.0
"""Of what the series strays in as many days, which it has more than."""
LEAST_SHARE = 0.01
"""Of the highest value, which it has at least."""
STILL = 0.5
"""Of its growth, with which its last third goes on."""


def begun(days: Sequence[Day]) -> int:
    """Of how many last days the growth is another than before; 0 for none.

    Of several possible beginnings, that from which two straight lines stray least.
    """
    best, least = 0, float("inf")
    for count in range(SHORTEST, len(days) - FLAT_DAYS + 1):
        if _rises(days, count):
            astray = _astray(days[: len(days) - count]) + _astray(days[-count - 1 :])
            if astray < least * (1 - 1e-9):
                best, least = count, astray
    return best


def _rises(days: Sequence[Day], count: int) -> bool:
    before, recent = days[: len(days) - count], days[-count - 1 :]
    # As many days before, and a week more, so that each part of a week's teeth is among them; of a long rise fewer.
    window = min(count, len(before) - 1 - WEEK)
    rise = recent[-1].value - recent[0].value
    if window < min(count, WEEK):
        # Without a week more, what was before it must have hardly moved: no part of a week's teeth does that.
        values = [day.value for day in before]
        if len(before) < FLAT_DAYS or max(values) - min(values) > FLAT_SHARE * rise:
            return False
        window = min(count, len(before) - 1)
    if rise < LEAST_SHARE * max(abs(day.value) for day in days):
        return False
    usual = max(after.value - first.value for first, after in zip(before, before[window:], strict=False))
    if rise <= TIMES * max(0.0, usual) * count / window:
        return False
    third = -(-count // 3)
    if recent[-1].value - recent[-1 - third].value < STILL * rise * third / count:
        return False
    if count == SHORTEST and not rise / 3 <= recent[1].value - recent[0].value <= rise * 2 / 3:
        return False
    growth = (before[-1].value - before[0].value) / (before[-1].at - before[0].at)
    noise, wander = straying([Day(day.at, day.value - growth * day.at) for day in before])
    return rise > DEVIATIONS * sqrt(2 * noise + wander * count)


def _astray(days: Sequence[Day]) -> float:
    """The sum of the squares by which the days stray from the line with the least of them."""
    count = len(days)
    mean_at, mean = sum(day.at for day in days) / count, sum(day.value for day in days) / count
    across = sum((day.at - mean_at) ** 2 for day in days)
    slope = sum((day.at - mean_at) * (day.value - mean) for day in days) / across
    return sum((day.value - mean - slope * (day.at - mean_at)) ** 2 for day in days)


def recent_trend(days: Sequence[Day], count: int) -> Trend:
    """The trend of so many last days and the one before them, no surer than that of the days before allows."""
    last, before = trend(days[-count - 1 :]), trend(days[: len(days) - count])
    noise, wander = max(last.noise, before.noise), max(last.wander, before.wander)
    return Trend(last.level, last.growth, {}, noise, wander, count + 1)
