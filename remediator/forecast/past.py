"""What this method was worth: forecasts from earlier days of the same series, beside what came. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from remediator.forecast.days import Day
from remediator.forecast.recent import begun, recent_trend
from remediator.forecast.steps import Step, steps, without
from remediator.forecast.trend import COVERAGE, Trend, trend

MIN_DAYS = 7
"""With values, below which nothing is foretold."""
WIDEST = 5.0
"""By which the spread is widened at most: what had hardly any, as a straight line, says nothing by how often it fit."""
ERROR_DAYS = 7
"""How far ahead the past forecasts look, where the history is long enough."""


class Fit(NamedTuple):
    """steps: those that came once, which are taken out. since: of how many last days the trend is; 0 for all."""

    trend: Trend
    steps: Sequence[Step]
    since: int


def fit(days: Sequence[Day]) -> Fit:
    """The trend of the days, without the steps that came once; of the last alone where they grow as never before."""
    found = steps(days)
    rest = without(days, found)
    since = begun(rest)
    return Fit(recent_trend(rest, since) if since else trend(rest), found, since)


@dataclass(frozen=True)
class Past:
    """ahead: days that the forecasts looked ahead. error: their median, in the series' unit. held: the share within
    whose spread what came was. wider: by which factor the spread was too narrow. None: there were no such forecasts.
    """

    ahead: int
    error: float | None
    held: float | None
    held_else: float | None
    wider: float


def backtest(days: Sequence[Day], once: Sequence[int] = ()) -> Past:
    """Forecasts from each earlier day with enough history before it.

    once: days of what no forecast could know of, steps and a growth that began: those across which one looked do not
    widen the spread.
    """
    first = days[0].at
    ahead = min(ERROR_DAYS, (days[-1].at - first + 1) // 3)
    values = dict(days)
    errors: list[tuple[float, float]] = []
    ratios: list[float] = []
    else_: list[bool] = []
    exact = 1e-9 * max(abs(day.value) for day in days)  # what a straight line is off by rounding alone
    for origin in range(MIN_DAYS, len(days) + 1):
        known = days[:origin]
        today = known[-1].at
        actual = values.get(today + ahead)
        if actual is None:
            continue
        fitted = fit([Day(day.at - today, day.value) for day in known]).trend
        error, half = abs(actual - fitted.at(ahead)), fitted.spread(ahead)
        errors.append((error, half))
        if any(today < at <= today + ahead for at in once):
            continue
        else_.append(error <= half + exact)
        if half > 0:
            ratios.append(error / half)
    if not errors:
        return Past(ahead, None, None, None, 1.0)
    held = sum(error <= half + exact for error, half in errors) / len(errors)
    wider = min(WIDEST, sorted(ratios)[min(len(ratios) - 1, int(COVERAGE * len(ratios)))]) if ratios else 1.0
    return Past(ahead, median(error for error, _ in errors), held, sum(else_) / len(else_) if else_ else None, wider)
