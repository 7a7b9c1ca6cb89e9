"""What was last foretold."""

from typing_extensions import TypedDict


class ForecastView(TypedDict):
    """When one thing is full. Amounts are in its ``unit``; ``growth`` is a day's.

    ``days`` until it is full, with the earliest and the latest; null: not foreseen within ``reach_days``, or the
    history says nothing of it. ``says`` tells it in a few words.
    """

    sink: str
    unit: str
    used: float | None
    limit: float | None
    used_ratio: float | None
    growth: float | None
    days: float | None
    days_earliest: float | None
    days_latest: float | None
    reach_days: int | None
    says: str
    remarks: list[str]


class ForecastsView(TypedDict):
    """Of the newest run that foretold, what is full soonest first. ``run``, ``at``: null before there was any."""

    run: int | None
    at: str | None
    items: list[ForecastView]
