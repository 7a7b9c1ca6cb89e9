"""Series as sinks have them, made from seeds: an hour a value, with what comes after today as well.

A house's year in small: growth, the noise of a day, nightly and weekly sawteeth, deploys, cleanups, gaps, weekdays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from remediator.forecast.days import DAY

NOW = 1_790_000_000.0
HOUR = 3600.0


@dataclass(frozen=True)
class Made:
    """samples: until NOW. later: the highest value of each day after it."""

    samples: Sequence[tuple[float, float]]
    later: Sequence[float]

    def full(self, limit: float) -> float:
        """Days until the limit is reached; inf for not within a year."""
        return next((float(day + 1) for day, value in enumerate(self.later) if value >= limit), float("inf"))


Shape = Callable[[Random, int, int], list[float]]
"""From dice, the days of history and those after: what is added in each hour, oldest first."""


def made(shape: Shape, seed: int, days: int = 30, after: int = 365) -> Made:
    dice = Random(f"{shape.__name__} {seed}")
    values = shape(dice, days, after)
    begin = NOW - days * DAY
    cut = days * 24
    samples = [(begin + (hour + 1) * HOUR, values[hour]) for hour in range(cut)]
    later = [max(values[cut + day * 24 : cut + day * 24 + 24]) for day in range(after)]
    if shape is gaps:
        samples = _holes(samples, dice)
    return Made(samples, later)


def _holes(samples: list[tuple[float, float]], dice: Random) -> list[tuple[float, float]]:
    """Hours and days in which nothing was scraped."""
    left = list(samples)
    for _ in range(4):
        begin = dice.randrange(len(left) - 80)
        del left[begin : begin + dice.randrange(5, 60)]
    return left


def steady(dice: Random, days: int, after: int) -> list[float]:
    """Growth and the noise of hours."""
    growth = dice.uniform(0.2, 1.0) / 24
    noise = dice.uniform(0.1, 3.0)
    return [50 + growth * hour + dice.gauss(0, noise) for hour in range((days + after) * 24)]


def wandering(dice: Random, days: int, after: int) -> list[float]:
    """Each day grows by what it likes."""
    growth = dice.uniform(0.2, 1.0)
    varies = growth * dice.uniform(0.5, 3.0)
    level, values = 50.0, []
    for _ in range(days + after):
        today = dice.gauss(growth, varies)
        values += [level + today * hour / 24 + dice.gauss(0, 0.05) for hour in range(24)]
        level += today
    return values


def nightly(dice: Random, days: int, after: int) -> list[float]:
    """A backup each night that is written, copied away and deleted, at about the same hour."""
    growth = dice.uniform(0.2, 1.0) / 24
    size, at = dice.uniform(5, 20), dice.randrange(24)
    values = [50 + growth * hour + dice.gauss(0, 0.2) for hour in range((days + after) * 24)]
    for day in range(days + after):
        begin = max(0, day * 24 + at + dice.choice((-1, 0, 0, 0, 1)))
        for hour in range(begin, min(len(values), begin + dice.choice((2, 3)))):
            values[hour] += size * dice.uniform(0.95, 1.05)
    return values


def weekly(dice: Random, days: int, after: int) -> list[float]:
    """What a cleanup takes away each week comes back until the next, beside the growth that stays."""
    growth, comes = dice.uniform(0.2, 1.0) / 24, dice.uniform(0.5, 4.0) / 24
    phase = dice.randrange(168)
    return [
        50 + growth * hour + comes * ((hour + phase) % 168) + dice.gauss(0, 0.3) for hour in range((days + after) * 24)
    ]


def tenth_day(dice: Random, days: int, after: int) -> list[float]:
    """Sawteeth of another length than a week."""
    growth, comes = dice.uniform(0.2, 1.0) / 24, dice.uniform(0.5, 2.0) / 24
    period, phase = dice.randrange(9, 13) * 24, dice.randrange(300)
    return [
        50 + growth * hour + comes * ((hour + phase) % period) + dice.gauss(0, 0.3)
        for hour in range((days + after) * 24)
    ]


def weekdays(dice: Random, days: int, after: int) -> list[float]:
    """Work from Monday to Friday."""
    growth, high, phase = dice.uniform(0.2, 1.0) / 24, dice.uniform(2, 10), dice.randrange(7)
    return [
        50 + growth * hour + (high if (hour // 24 + phase) % 7 < 5 else 0) + dice.gauss(0, 0.4)
        for hour in range((days + after) * 24)
    ]


def deploy(dice: Random, days: int, after: int) -> list[float]:
    """Once, something came that stays."""
    values = steady(dice, days, after)
    at, size = dice.randrange(3 * 24, days * 24 - 24), dice.uniform(5, 25)
    return [value + (size if hour >= at else 0) for hour, value in enumerate(values)]


def reset(dice: Random, days: int, after: int) -> list[float]:
    """Once, somebody cleaned up."""
    values = steady(dice, days, after)
    at, size = dice.randrange(3 * 24, days * 24 - 24), dice.uniform(5, 25)
    return [value - (size if hour >= at else 0) for hour, value in enumerate(values)]


def jumps(dice: Random, days: int, after: int) -> list[float]:
    """It grows by what comes now and then, as images do."""
    rate, size = dice.uniform(0.1, 0.5), dice.uniform(1, 5)
    level, values = 50.0, []
    for _ in range(days + after):
        if dice.random() < rate:
            level += size * dice.uniform(0.5, 1.5)
        values += [level + dice.gauss(0, 0.02) for _ in range(24)]
    return values


def gaps(dice: Random, days: int, after: int) -> list[float]:
    """As steady; what was not scraped is taken out afterwards."""
    return steady(dice, days, after)


def runaway(dice: Random, days: int, after: int) -> list[float]:
    """What hardly grew begins to be written without end, some days before today."""
    growth, faster = dice.uniform(0, 0.1) / 24, dice.uniform(1, 6) / 24
    begins = days * 24 - dice.randrange(2 * 24, 9 * 24)
    noise = dice.uniform(0.05, 0.5)
    return [
        50 + growth * hour + faster * max(0, hour - begins) + dice.gauss(0, noise)
        for hour in range((days + after) * 24)
    ]


def change_of_slope(dice: Random, days: int, after: int) -> list[float]:
    """It grows as many times faster as there are more users, since a day of the last two weeks."""
    growth, noise = dice.uniform(0.1, 0.5) / 24, dice.uniform(0.05, 1.0)
    faster = growth * dice.uniform(3, 8)
    begins = days * 24 - dice.randrange(4 * 24, 14 * 24)
    return [
        50 + growth * hour + faster * max(0, hour - begins) + dice.gauss(0, noise)
        for hour in range((days + after) * 24)
    ]


def accelerating(dice: Random, days: int, after: int) -> list[float]:
    """Each day grows by a share of all there is."""
    share, noise = dice.uniform(0.01, 0.03), dice.uniform(0.05, 0.5)
    now = days * 24
    return [
        50 * (1 + share) ** min(200, (hour - now) / 24) + dice.gauss(0, noise) for hour in range((days + after) * 24)
    ]


SHAPES: Sequence[Shape] = (
    steady, wandering, nightly, weekly, tenth_day, weekdays, deploy, reset, jumps, gaps,
)  # fmt: skip

CHANGING: Sequence[Shape] = (runaway, change_of_slope, accelerating)
"""Whose past says little of what they do now: no spread that is made of it holds as often as it says."""
