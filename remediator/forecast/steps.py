"""Steps of a series that came once, such as a deploy's or a great cleanup's: named, and taken out of the growth."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from remediator.forecast.days import Day

DEVIATIONS = 8.0
"""Of the usual change from one day to the next, from which a change is a step."""
LEAST_SHARE = 0.01
"""Of the series' highest value, which a step has at least."""


class Step(NamedTuple):
    """From the day before to this one, the value changed by so much beyond what it does each day."""

    at: int
    size: float


def steps(days: Sequence[Day]) -> list[Step]:
    """Steps up or down that came once. Two of a direction are a habit, and belong to the growth. Pure."""
    changes = [(after.at, (after.value - before.value) / (after.at - before.at), after.at - before.at)
               for before, after in pairwise(days)]  # fmt: skip
    if len(changes) < 4:
        return []
    usual = median(change for _, change, _ in changes)
    spread = 1.4826 * median(abs(change - usual) for _, change, _ in changes)
    least = max(DEVIATIONS * spread, LEAST_SHARE * max(abs(day.value) for day in days))
    found: list[Step] = []
    for at, change, apart in changes:
        size = (change - usual) * apart
        if abs(size) <= least:
            continue
        if found and found[-1].at >= at - apart and found[-1].size * size > 0:
            found[-1] = Step(at, found[-1].size + size)  # it took two days, or fell at the edge of one
        else:
            found.append(Step(at, size))
    ups = [step for step in found if step.size > 0]
    downs = [step for step in found if step.size < 0]
    return sorted([*(ups if len(ups) == 1 else ()), *(downs if len(downs) == 1 else ())])


def without(days: Sequence[Day], found: Sequence[Step]) -> list[Day]:
    """The days as if what is now had been there before each step, but for one within which it came."""
    return [Day(day.at, day.value + sum(step.size for step in found if step.at > day.at)) for day in days]
