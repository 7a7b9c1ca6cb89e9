"""When a trend that strays reaches a limit for the first time: the days at which that many of its ways are there."""

from dataclasses import dataclass
from math import ceil, inf, sqrt
from random import Random

from remediator.forecast.trend import COVERAGE, Trend

WAYS = 400
"""That are drawn, always with the same dice: the same history has the same forecast."""


@dataclass(frozen=True)
class Full:
    """Days from now until it is full; ``inf`` for not within the forecast's reach.

    middle: when its growth alone takes it there. In 80 % of cases it is full between earliest and latest.
    """

    earliest: float
    middle: float
    latest: float


def full(fitted: Trend, used: float, limit: float, wider: float, reach: int) -> Full:
    """When the limit is reached. Pure.

    wider: what straying is multiplied by. reach: days that are looked ahead.
    """
    if used >= limit:
        return Full(0.0, 0.0, 0.0)
    dice = Random(1)  # noqa: S311 - nothing secret
    noise, wander, growth, level = map(sqrt, (*fitted.variances, fitted.level_variance))
    wander, growth, level = (wider * fitted.heavier * one for one in (wander, growth, level))
    expected = [fitted.at(ahead) for ahead in range(reach + 1)]
    crossed = sorted(_way(dice, expected, limit, noise, wander, growth, level) for _ in range(WAYS))
    outside = (1 - COVERAGE) / 2

    def day(share: float) -> float:
        return crossed[max(0, ceil(share * WAYS) - 1)]

    earliest, latest = day(outside), day(1 - outside)
    middle = next((float(ahead) for ahead, value in enumerate(expected) if ahead and value >= limit), inf)
    return Full(earliest, min(max(earliest, middle), latest), latest)


def _way(
    dice: Random, expected: list[float], limit: float, noise: float, wander: float, growth: float, level: float
) -> float:
    off, faster = dice.gauss(0, level), dice.gauss(0, growth)
    for ahead in range(1, len(expected)):
        off += faster + (dice.gauss(0, wander) if wander else 0.0)
        if expected[ahead] + off + (dice.gauss(0, noise) if noise else 0.0) >= limit:
            return float(ahead)
    return inf
