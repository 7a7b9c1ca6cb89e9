"""One value a day, its highest: what our own nightly jobs raise and lower again within a day is no growth."""

from collections.abc import Sequence
from math import floor, isfinite
from typing import NamedTuple

DAY = 86400.0
REACH_BACK = 0.25
"""By how much of a day each day reaches into the one before, so that a job which runs at its edge is seen in both."""
MIN_HOURS = 6
"""Of a day in which something must have been measured for the day to count."""


class Day(NamedTuple):
    """at: 0 for the 24 hours until now, -1 for those before. value: the highest."""

    at: int
    value: float


def measured(samples: Sequence[tuple[float, float]], now: float) -> int:
    """In how many hours something was measured; samples and now as of ``highest``."""
    return len({floor((now - at) / DAY * 24) for at, value in samples if at <= now and isfinite(value)})


def highest(samples: Sequence[tuple[float, float]], now: float) -> list[Day]:
    """The highest value of each day that has enough of them, oldest first.

    samples: (Unix seconds, value), in any order; what is later than now, or no number, is left out.
    """
    values: dict[int, float] = {}
    hours: dict[int, set[int]] = {}
    for at, value in samples:
        if at > now or not isfinite(value):
            continue
        ago = (now - at) / DAY
        day = floor(ago)
        hours.setdefault(day, set()).add(floor(ago * 24))
        for one in (day, day - 1) if ago - day < REACH_BACK else (day,):
            values[one] = max(value, values.get(one, value))
    return [Day(-day, values[day]) for day in sorted(hours, reverse=True) if len(hours[day]) >= MIN_HOURS]
