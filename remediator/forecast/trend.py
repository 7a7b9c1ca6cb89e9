"""The growth of a series, how sure it is, and how far the series strays from it. Pure."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import median
from typing import NamedTuple

from remediator.forecast.days import Day

LEVEL_DAYS = 5
"""Last days from whose median the level of today is taken."""
WEEK = 7
SEASON_DAYS = 3 * WEEK
"""Of history, from which a pattern of weekdays can be told from chance."""
SEASON_SHARE = 0.5
"""Of what the series strays, which the weekdays must explain to be a pattern."""
LEAST_SHARE = 0.001
"""Of the highest value, by which days must differ on the average for a pattern to be worth a word."""
FEW = 1.6
"""By which the straying is taken for more than what was seen: a month holds few stretches of a week or two."""
COVERAGE = 0.8
"""The share of cases in which what comes is within the spread."""
NORMAL = 1.2816
"""The normal distribution's quantile for 80 % between its two sides."""


class Trend(NamedTuple):
    """level: of today. growth: a day. weekdays: what is added on a day whose number modulo 7 is the key; empty without
    a pattern. noise: variance of a single day about the level. wander: variance by which the level strays more a day.
    days: of history.
    """

    level: float
    growth: float
    weekdays: Mapping[int, float]
    noise: float
    wander: float
    days: int

    def at(self, ahead: int) -> float:
        """The value that is expected so many days ahead."""
        return self.level + self.growth * ahead + self.weekdays.get(ahead % WEEK, 0.0)

    def spread(self, ahead: int) -> float:
        """Half the width of what is expected of that one day in 80 % of cases."""
        noise, wander, growth = self.variances
        return NORMAL * self.heavier * sqrt(noise + self.level_variance + wander * ahead + growth * ahead**2)

    @property
    def variances(self) -> tuple[float, float, float]:
        """Of a day's noise, of each day's straying, and of the growth."""
        return self.noise, self.wander, 12 * self.noise / self.days**3 + 1.5 * self.wander / self.days

    @property
    def level_variance(self) -> float:
        """Of today's level, which is a median."""
        return 1.57 * self.noise / LEVEL_DAYS + self.wander * LEVEL_DAYS / 3

    @property
    def heavier(self) -> float:
        """How much wider Student's distribution is than the normal one (Cornish and Fisher's first term)."""
        return 1 + (NORMAL**2 + 1) / (4 * max(1, self.days // 3))

    @property
    def growth_spread(self) -> float:
        return NORMAL * self.heavier * sqrt(self.variances[2])


def trend(days: Sequence[Day]) -> Trend:
    """Of three days or more, the last of them about today's: Theil and Sen's slope, and weekdays where they show."""
    growth = slope(days)
    rest = [Day(day.at, day.value - growth * day.at) for day in days]
    weekdays = _weekdays(rest)
    if weekdays:
        days = [Day(day.at, day.value - weekdays[day.at % WEEK]) for day in days]
        growth = slope(days)
        rest = [Day(day.at, day.value - growth * day.at) for day in days]
    level = median(day.value for day in rest[-LEVEL_DAYS:])
    noise, wander = straying(rest)
    wander *= FEW
    return Trend(level, growth, weekdays, noise, wander, len(days))


def slope(days: Sequence[Day]) -> float:
    """The median of the growths between all pairs of days: a quarter of them may be anything."""
    return median(
        (after.value - before.value) / (after.at - before.at)
        for index, before in enumerate(days)
        for after in days[index + 1 :]
    )


def _weekdays(rest: Sequence[Day]) -> dict[int, float]:
    """What each weekday adds, with a mean of 0; empty where that explains little."""
    if rest[-1].at - rest[0].at + 1 < SEASON_DAYS:
        return {}
    middle = median(day.value for day in rest)
    by = {weekday: [day.value for day in rest if day.at % WEEK == weekday] for weekday in range(WEEK)}
    if not all(len(values) >= 3 for values in by.values()):
        return {}
    found = {weekday: median(values) - middle for weekday, values in by.items()}
    before = sum(abs(day.value - middle) for day in rest)
    after = sum(abs(day.value - middle - found[day.at % WEEK]) for day in rest)
    if after > SEASON_SHARE * before or before <= LEAST_SHARE * len(rest) * max(abs(day.value) for day in rest):
        return {}
    mean = sum(found.values()) / WEEK
    return {weekday: value - mean for weekday, value in found.items()}


def straying(rest: Sequence[Day]) -> tuple[float, float]:
    """noise and wander of what is left without growth: by how much two days differ, by how far they are apart.

    The difference of two days has a variance of 2 noise + wander times their distance, the latter less what the
    fitted growth took away. Least squares, neither below 0.
    """
    span = rest[-1].at - rest[0].at + 1
    sums: dict[int, list[float]] = {}
    for index, before in enumerate(rest):
        for after in rest[index + 1 :]:
            apart = after.at - before.at
            if apart > max(2, span // 3):
                break
            sums.setdefault(apart, []).append((after.value - before.value) ** 2)
    points = [(apart * (1 - apart / span), sum(values) / len(values), len(values)) for apart, values in sums.items()]
    weight = sum(count for _, _, count in points)
    mean_x = sum(x * count for x, _, count in points) / weight
    mean_y = sum(y * count for _, y, count in points) / weight
    spread = sum(count * (x - mean_x) ** 2 for x, _, count in points)
    wander = sum(count * (x - mean_x) * (y - mean_y) for x, y, count in points) / spread if spread else 0.0
    if wander <= 0:
        return mean_y / 2, 0.0
    noise = (mean_y - wander * mean_x) / 2
    if noise >= 0:
        return noise, wander
    return 0.0, sum(x * y * count for x, y, count in points) / sum(count * x * x for x, _, count in points)
