"""What a forecast says, for people."""

from collections.abc import Callable, Sequence
from math import inf

from exporter.base.text import counted
from remediator.forecast.forecast import YOUNG_DAYS, Forecast
from remediator.forecast.paths import Full

SELDOM = 0.5
"""The share of past forecasts that held, below which that is said; 0.8 is what they claim."""


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
        took = f" in {counted(len(step.parts), 'day')} until" if len(step.parts) > 1 else ""
        said.append(
            f"{way} by {amount(abs(step.size))}{took} {_ago(-step.at, took)}, which is taken to have happened once"
        )
    if found.since:
        said.append(f"has grown as never before for {counted(found.since, 'day')}, and what is foretold goes by these")
    if found.held_else is not None and found.held_else < SELDOM:
        often = f"only {found.held_else:.0%} of" if found.held_else >= 0.005 else "none of"
        said.append(f"{often} its past forecasts held what they said: it does not go on as it did, so look again soon")
    if found.weekly:
        said.append("follows the days of the week")
    if found.gaps:
        said.append(f"{counted(found.gaps, 'day')} without values")
    if found.days < YOUNG_DAYS:
        said.append(f"only {counted(found.days, 'day')} of history: what comes each week cannot be told from growth")
    return said


def _ago(days: int, took: str = "") -> str:
    if days:
        return f"{counted(days, 'day')} ago"
    return "today" if took else "in the last day"
