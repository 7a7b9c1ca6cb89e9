"""What a forecast says, for people."""

from collections.abc import Callable, Sequence
from math import inf

from exporter.base.text import counted
from remediator.forecast.forecast import YOUNG_DAYS, Forecast
from remediator.forecast.paths import Full


def fullness(full: Full | None, reach: int) -> str:
    """When it is full: ``in 12 days (10 to 15)``. reach: days of which the forecast speaks."""
    if full is None:
        return "no limit"
    if full.latest == 0:
        return "now"
    if full.earliest == inf:
        return f"not within {counted(reach, 'day')}"
    latest = f"to {full.latest:.0f}" if full.latest < inf else "or later"
    if full.middle == inf:
        return f"hardly within {counted(reach, 'day')}, at the earliest in {full.earliest:.0f}"
    return f"in {counted(round(full.middle), 'day')} ({full.earliest:.0f} {latest})"


def remarks(found: Forecast, amount: Callable[[float], str]) -> Sequence[str]:
    """What a reader must know of it, a clause each. amount: writes a value of the series with its unit."""
    said = []
    for step in found.steps:
        way = "rose" if step.size > 0 else "fell"
        said.append(f"{way} by {amount(abs(step.size))} {_ago(-step.at)}, which is taken to have happened once")
    if found.weekly:
        said.append("follows the days of the week")
    if found.gaps:
        said.append(f"{counted(found.gaps, 'day')} without values")
    if found.days < YOUNG_DAYS:
        said.append(f"only {counted(found.days, 'day')} of history: what comes each week cannot be told from growth")
    return said


def _ago(days: int) -> str:
    return f"{counted(days, 'day')} ago" if days else "in the last day"
