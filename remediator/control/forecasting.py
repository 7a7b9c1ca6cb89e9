"""What was last foretold, from the record."""

from collections.abc import Callable, Collection
from functools import partial
from math import inf

from pydantic import ValidationError

from exporter.base.text import format_time_ms
from remediator.forecast.row import ForecastRow
from remediator.model.shapes.forecasts import ForecastsView, ForecastView
from remediator.store import rows
from remediator.store.database import Database


class Forecasting:
    """Reads the rows of the newest run that foretold. foretells: the tasks whose rows are forecasts."""

    def __init__(self, database: Database, foretells: Callable[[], Collection[str]]) -> None:
        self._database = database
        self._foretells = foretells

    async def forecasts(self) -> ForecastsView:
        newest = partial(rows.newest, host=self._database.host, tasks=self._foretells())
        run = await self._database.read(newest)
        if run is None:
            return {"run": None, "at": None, "items": []}
        cells = await self._database.read(partial(rows.of_run, run_id=run.id))
        try:
            found = [ForecastRow.model_validate(one) for one in cells]
        except ValidationError:  # of a release with other columns: the next run has those of this one
            found = []
        return {"run": run.id, "at": format_time_ms(run.planned_at), "items": [_view(one) for one in _soonest(found)]}


def _soonest(found: list[ForecastRow]) -> list[ForecastRow]:
    """Those first that are full first; then those that may be; then the fullest."""

    def key(one: ForecastRow) -> tuple[float, float, float, str]:
        earliest = inf if one.days_earliest is None else one.days_earliest
        return inf if one.days is None else one.days, earliest, -(one.used_ratio or 0.0), one.sink

    return sorted(found, key=key)


def _view(one: ForecastRow) -> ForecastView:
    return {
        "sink": one.sink,
        "unit": one.unit,
        "used": one.used,
        "limit": one.limit,
        "used_ratio": one.used_ratio,
        "growth": one.growth,
        "days": one.days,
        "days_earliest": one.days_earliest,
        "days_latest": one.days_latest,
        "reach_days": one.reach_days,
        "says": one.says,
        "remarks": list(one.remarks),
    }
