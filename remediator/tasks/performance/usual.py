"""Whether an hour is as it usually is. Pure."""

from collections.abc import Sequence
from statistics import fmean, median
from typing import Literal, NamedTuple

from remediator.forecast.days import DAY, Day
from remediator.forecast.trend import slope

WEEK = 7 * DAY
HOUR = 3600.0
LEAST_WEEKS = 3
"""Of the same hour of the same weekday, from which these tell what is usual; before, the same hour of any day does."""
LEAST_DAYS = 4
LEAST_SHARE = 0.2
"""By which an hour differs from the usual at the least to be unusual."""
DEVIATIONS = 4.0
TREND_DAYS = 7


class Usual(NamedTuple):
    """now: of the last hour. usual, low, high: of the hours that it is compared with. trend: growth in a week."""

    now: float
    usual: float | None
    low: float | None
    high: float | None
    compared: int
    judgement: Literal["higher", "lower", "usual", "too young"]
    trend: float | None
    mean: float


def compare(samples: Sequence[tuple[float, float]], now: float) -> Usual | None:
    """The last hour beside the same hour of former weeks, or days. None where the last hour has no value.

    samples: (Unix seconds, mean of the hour before), an hour apart, oldest first. now: Unix seconds, that of the last.
    """
    values = {round((now - at) / HOUR): value for at, value in samples if value == value}
    if 0 not in values:
        return None
    weeks = [values[hours] for hours in range(168, max(values) + 1, 168) if hours in values]
    days = [values[hours] for hours in range(24, max(values) + 1, 24) if hours in values]
    others = weeks if len(weeks) >= LEAST_WEEKS else days
    trend = _trend(values)
    mean = fmean(values.values())
    last = values[0]
    if len(others) < LEAST_DAYS and len(weeks) < LEAST_WEEKS:
        return Usual(last, None, None, None, len(others), "too young", trend, mean)
    usual = median(others)
    low, high = min(others), max(others)
    spread = 1.4826 * median(abs(one - usual) for one in others)
    far = max(DEVIATIONS * spread, LEAST_SHARE * abs(usual))
    unusual = abs(last - usual) > far and not low <= last <= high
    judgement: Literal["higher", "lower", "usual"] = "usual"
    if unusual:
        judgement = "higher" if last > usual else "lower"
    return Usual(last, usual, low, high, len(others), judgement, trend, mean)


def _trend(values: dict[int, float]) -> float | None:
    """The growth in a week, of the means of whole days; None of less than a week."""
    days: dict[int, list[float]] = {}
    for hours, value in values.items():
        days.setdefault(-(hours // 24), []).append(value)
    means = [Day(day, fmean(found)) for day, found in sorted(days.items()) if len(found) >= 12]
    return slope(means) * 7 if len(means) >= TREND_DAYS else None
