"""What is foretold of one sink, as a row: of a task's table, of its artefact, and of the metrics."""

from collections.abc import Sequence
from typing import Literal

from remediator.model.task import Row

Unit = Literal["bytes", "files"]


class ForecastRow(Row):
    """One thing that can be full. Amounts are in its unit; times are Unix seconds; None is not known, or not foreseen.

    within: the mount point whose free space is its limit; empty where it has a limit of its own, or none.
    """

    sink: str
    """Its kind and name, such as ``filesystem:/`` or ``logs:app``."""
    unit: Unit
    used: float | None = None
    """The highest of the last day."""
    limit: float | None = None
    within: str = ""
    used_ratio: float | None = None
    growth: float | None = None
    """A day; with the bounds of its spread, as of the days below."""
    growth_low: float | None = None
    growth_high: float | None = None
    days: float | None = None
    """Until it is full; None where the forecast does not reach that far."""
    days_earliest: float | None = None
    days_latest: float | None = None
    full_at: float | None = None
    """When that is; None also where its growth cannot be told from none. The alert lives on this."""
    reach_days: int | None = None
    """Of how many days ahead the forecast speaks."""
    coverage: float = 0.8
    """The share of cases in which it is full between earliest and latest."""
    history_days: int | None = None
    """Days with values that it is made of."""
    error: float | None = None
    """The median of what this method was off in the past on this sink, so many days ahead."""
    error_ratio: float | None = None
    """The same as a share of the limit."""
    error_days: int | None = None
    held: float | None = None
    """The share of these past forecasts within whose spread was what came."""
    says: str
    """When it will be full, or why that is not foretold, in a few words."""
    remarks: Sequence[str] = ()

    @property
    def is_own(self) -> bool:
        """Whether it is full by itself, and not because what it lies in is."""
        return self.limit is not None and not self.within
