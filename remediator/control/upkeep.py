"""Housekeeping: deletes old records, and updates the gauges of queue and holds."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from remediator.control.again import to_be_tried_again
from remediator.control.ballast import BallastKeeper
from remediator.control.holding import Holding
from remediator.metrics import Metrics
from remediator.store import retention, runs
from remediator.store.database import Database

log = structlog.get_logger(__name__)

RETENTION_INTERVAL = 3600.0


class Upkeep:
    """Keeps record and gauges in order.

    retention: seconds for which finished runs are kept. forget: deletes what the engine remembers of runs.
    """

    def __init__(
        self,
        database: Database,
        holding: Holding,
        metrics: Metrics,
        clock: Callable[[], float],
        retention: Callable[[], float],
        forget: Callable[[Sequence[int]], Awaitable[None]],
        ballast: BallastKeeper,
    ) -> None:
        self._database = database
        self._holding = holding
        self._metrics = metrics
        self._clock = clock
        self._retention = retention
        self._forget = forget
        self._ballast = ballast

    async def refresh_metrics(self) -> None:
        """Brings the gauges of queue, breakers, pauses and ballast up to date."""
        pauses = await self._holding.pauses()
        breakers = await self._holding.open_breakers()
        unfinished = await self._database.read(partial(runs.unfinished, host=self._database.host))
        self._metrics.queue_depth.set(len(unfinished))
        self._metrics.holds([(one["task"], one["target"]) for one in breakers], [hold.task for hold in pauses])
        self._metrics.ballast(await self._ballast.look())

    async def housekeeping(self) -> None:
        """Deletes what is older than the retention, now and every hour. Ends by cancellation."""
        while True:
            with to_be_tried_again("old runs could not be deleted"):
                await self.purge()
            await asyncio.sleep(RETENTION_INTERVAL)

    async def purge(self) -> None:
        """Deletes what is older than the retention, from the record and from the engine."""
        horizon = self._clock() - self._retention()
        removed = await self._database.write(partial(retention.purge, host=self._database.host, before=horizon))
        if removed:
            await self._forget(removed)
            log.info("old runs deleted", count=len(removed))
