"""When a thing will be full: the one way in. Pure.

What is foretold of a series is what this method made of it: its daily highest values, without steps that came once,
their growth, or that of the last days where these grow as never before, and how far they stray. From earlier days of
the same series the method foretells those that came after, and where these strayed further than it had said, its spread
is widened by as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from remediator.forecast.days import DAY, MIN_HOURS, highest, measured
from remediator.forecast.past import MIN_DAYS, backtest, fit
from remediator.forecast.paths import Full, full
from remediator.forecast.steps import Step

LATEST_GAP = 2
"""Days without a value at the end, above which nothing is foretold: what it is about may be gone."""
REACH = 4
"""Times the history, beyond which nothing is foretold."""
MAX_AHEAD = 365
YOUNG_DAYS = 21
"""Of history, below which a pattern of weekdays or of a cleanup each week cannot be told from growth."""


class NoForecast(UpkeeperError):
    """Nothing can be foretold of a series. The message says why, as one clause."""


@dataclass(frozen=True)
class Forecast:
    """used: its highest value of the last day. growth: a day, with the bounds of its spread.

    full: None where it has no limit. reach: days ahead of which it speaks. error: what this very method was off, in
    the median, on this series ``error_days`` ahead, in the series' unit; None where the history is too short to know.
    held: the share of these past forecasts within whose spread what came was. days: with values.
    """

    used: float
    limit: float | None
    growth: float
    growth_low: float
    growth_high: float
    full: Full | None
    reach: int
    days: int
    error: float | None
    error_days: int
    held: float | None
    steps: Sequence[Step] = ()
    gaps: int = 0
    """Days of the history without a value."""
    weekly: bool = False
    """It follows the days of the week."""
    since: int = 0
    """Last days with values, of which alone the growth is, since they grow as never before; 0 for all days."""
    held_else: float | None = None
    """As ``held``, of the past forecasts across no step and no beginning of a growth."""

    @property
    def is_foreseen(self) -> bool:
        """Whether it will be full by a growth that its spread tells from none: else nobody should be woken for it.

        A fall in a young history may be the cleanup of each week, and the growth since then what comes back each week.
        """
        if self.full is None or self.full.middle == inf:
            return False
        fell = self.days < YOUNG_DAYS and any(step.size < 0 for step in self.steps)
        return self.full.middle == 0 or (self.growth_low > 0 and not fell)

    @property
    def error_ratio(self) -> float | None:
        """The error as a share of the limit; None without either."""
        return None if self.error is None or not self.limit else self.error / self.limit


def forecast(samples: Sequence[tuple[float, float]], limit: float | None, now: float) -> Forecast:
    """What is to be expected of a series of what is used, in the unit of its limit.

    samples: (Unix seconds, value), of some 30 days, each the highest of its hour or so. now: Unix seconds.
    Raises NoForecast.
    """
    days = highest(samples, now)
    latest = max((at for at, value in samples if at <= now and isfinite(value)), default=None)
    if latest is None:
        raise NoForecast("there are no values")
    silent = int((now - latest) / DAY)
    if silent > LATEST_GAP:
        raise NoForecast(f"it has had no values for {counted(silent, 'day')}")
    if not days:
        hours = counted(measured(samples, now), "hour")
        raise NoForecast(f"its history has {hours} with values, and {MIN_DAYS} days are needed")
    if len(days) < MIN_DAYS:
        raise NoForecast(f"its history has {counted(len(days), 'day')} with values, and {MIN_DAYS} are needed")
    if -days[-1].at > LATEST_GAP:
        gap = counted(-days[-1].at, "day")
        raise NoForecast(f"of the last {gap} none has had values in {MIN_HOURS} hours or more")
    span = days[-1].at - days[0].at + 1
    if len(days) * 2 < span:
        raise NoForecast(f"only {len(days)} of its {span} days have values")
    fitted, found, since = fit(days)
    once = [part.at for step in found for part in step.parts]
    past = backtest(days, [*once, *((days[-since].at,) if since else ())])
    wider = max(1.0, past.wider)
    reach = min(MAX_AHEAD, REACH * len(days))
    sure = fitted.growth_spread * wider
    return Forecast(
        used=days[-1].value,
        limit=limit,
        growth=fitted.growth,
        growth_low=fitted.growth - sure,
        growth_high=fitted.growth + sure,
        full=None if limit is None else full(fitted, days[-1].value, limit, wider, reach),
        reach=reach,
        days=len(days),
        error=past.error,
        error_days=past.ahead,
        held=past.held,
        steps=found,
        gaps=span - len(days),
        weekly=bool(fitted.weekdays),
        since=since,
        held_else=past.held_else,
    )
