"""What was last foretold, from the record into the metrics: it outlives a restart, and the command's runs count too."""

from collections.abc import Callable, Collection
from functools import partial

import structlog
from pydantic import ValidationError

from remediator.forecast.metrics import ForecastMetrics
from remediator.forecast.row import ForecastRow
from remediator.store import rows
from remediator.store.database import Database

log = structlog.get_logger(__name__)


class Foretelling:
    """Keeps the metrics of forecasts up to date. foretells: the tasks whose rows are forecasts."""

    def __init__(self, database: Database, metrics: ForecastMetrics, foretells: Callable[[], Collection[str]]) -> None:
        self._database = database
        self._metrics = metrics
        self._foretells = foretells
        self._known: int | None = None

    async def refresh(self) -> None:
        """Reads the rows of the newest run, if it is another one than the last time."""
        newest = partial(rows.newest, host=self._database.host, tasks=self._foretells())
        run = await self._database.read(newest)
        if run is None or run.id == self._known:
            return
        cells = await self._database.read(partial(rows.of_run, run_id=run.id))
        self._known = run.id
        try:
            found = [ForecastRow.model_validate(one) for one in cells]
        except ValidationError as error:  # of a release with other columns: the next run has those of this one
            log.warning("forecasts of another release are not served", run=run.id, error=str(error))
            return
        self._metrics.foretold(run.planned_at, found)
