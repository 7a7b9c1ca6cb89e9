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
LONGEST = 7
"""Days in a row that one step takes at most: a copy or a move of data, which is over by now."""
EVEN = 0.5
"""Of the greater of two days' rises, which the lesser has at least where something runs away rather than came once."""


class Part(NamedTuple):
    """From the day before to this one, the value changed by so much beyond what it does each day."""

    at: int
    size: float


class Step(NamedTuple):
    """at: the last of its days. size: of all of them. parts: a day each, oldest first."""

    at: int
    size: float
    parts: Sequence[Part]


def steps(days: Sequence[Day]) -> list[Step]:
    """Steps up or down that came once. Two of a direction are a habit, and belong to the growth. Pure.

    A rise that goes on is none: from its third day on, or its second where the two are alike.
    """
    changes = [(after.at, (after.value - before.value) / (after.at - before.at), after.at - before.at)
               for before, after in pairwise(days)]  # fmt: skip
    if len(changes) < 4:
        return []
    usual = median(change for _, change, _ in changes)
    spread = 1.4826 * median(abs(change - usual) for _, change, _ in changes)
    least = max(DEVIATIONS * spread, LEAST_SHARE * max(abs(day.value) for day in days))
    runs: list[list[Part]] = []
    for at, change, apart in changes:
        size = (change - usual) * apart
        if abs(size) <= least:
            continue
        if runs and runs[-1][-1].at >= at - apart and runs[-1][-1].size * size > 0:
            runs[-1].append(Part(at, size))  # it took days, or fell at the edge of one
        else:
            runs.append([Part(at, size)])
    found = [Step(run[-1].at, sum(part.size for part in run), run) for run in runs if not _goes_on(run, days[-1].at)]
    ups = [step for step in found if step.size > 0]
    downs = [step for step in found if step.size < 0]
    return sorted([*(ups if len(ups) == 1 else ()), *(downs if len(downs) == 1 else ())])


def _goes_on(run: Sequence[Part], today: int) -> bool:
    """Whether it is no step: too long, or a rise that may not be over, which it is after half as long in quiet."""
    if len(run) > LONGEST:
        return True
    if run[0].size < 0 or len(run) == 1:
        return False
    if len(run) == 2:
        sizes = sorted(part.size for part in run)
        return run[-1].at == today and sizes[0] >= EVEN * sizes[1]
    return today - run[-1].at < len(run) / 2


def without(days: Sequence[Day], found: Sequence[Step]) -> list[Day]:
    """The days as if what is now had been there before each step, but for one within which it came."""
    parts = [part for step in found for part in step.parts]
    return [Day(day.at, day.value + sum(part.size for part in parts if part.at > day.at)) for day in days]
