"""Housekeeping: deletes old records, and updates the gauges of queue and holds."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial

import structlog

from remediator.config.config import Remediator as RemediatorSettings
from remediator.control.again import to_be_tried_again
from remediator.control.auditing import Auditing
from remediator.control.ballast import BallastKeeper
from remediator.control.foretelling import Foretelling
from remediator.control.holding import Holding
from remediator.control.image_news import ImageNewsKeeper
from remediator.decide.remedies import Remedies
from remediator.metrics import Metrics
from remediator.store import approvals, audit, retention, rollouts, runs
from remediator.store.database import Database

log = structlog.get_logger(__name__)

RETENTION_INTERVAL = 3600.0
UNEVENTFUL_FOR = 7 * 86400.0
"""Seconds for which looks of the schedule are kept that found nothing, if not for less."""


class Upkeep:
    """Keeps record and gauges in order.

    settings: those in force, with how long is kept what. forget: deletes what the engine remembers of runs.
    looks: the tasks that only look.
    """

    def __init__(
        self,
        database: Database,
        holding: Holding,
        auditing: Auditing,
        metrics: Metrics,
        clock: Callable[[], float],
        settings: Callable[[], RemediatorSettings],
        forget: Callable[[Mapping[int, int]], Awaitable[None]],
        remedies: Callable[[], Remedies],
        ballast: BallastKeeper,
        looks: Callable[[], Collection[str]],
        foretelling: Foretelling,
        image_news: ImageNewsKeeper,
    ) -> None:
        self._database = database
        self._holding = holding
        self._auditing = auditing
        self._metrics = metrics
        self._clock = clock
        self._settings = settings
        self._forget = forget
        self._restore_noted = False
        self._remedies = remedies
        self._ballast = ballast
        self._looks = looks
        self._foretelling = foretelling
        self._image_news = image_news

    async def refresh_metrics(self) -> None:
        """Brings the gauges of queue, breakers, pauses, rollouts, audit, ballast, forecasts and images up to date."""
        pauses = await self._holding.pauses()
        breakers = await self._holding.open_breakers()
        unfinished = await self._database.read(partial(runs.unfinished, host=self._database.host))
        pending = await self._database.read(partial(approvals.pending, host=self._database.host))
        self._metrics.queue_depth.set(len(unfinished))
        self._metrics.waits([remedy.name for remedy in self._remedies().remedies], pending)
        self._metrics.holds(
            [(one["task"], one["target"]) for one in breakers], [(hold.task, hold.since) for hold in pauses]
        )
        await self._note_restore()
        self._metrics.rolls(await self._database.read(partial(rollouts.counted, host=self._database.host)))
        head = await self._database.read(partial(audit.head, host=self._database.host))
        if head is not None:
            self._metrics.audit(head, self._auditing.verified_at, broken=bool(self._auditing.faults))
        self._metrics.ballast(await self._ballast.look())
        await self._foretelling.refresh()
        await self._image_news.refresh()

    async def _note_restore(self) -> None:
        """Once: while a remediator runs, nothing is restored."""
        if not self._restore_noted:
            last = partial(audit.last_of, host=self._database.host, kind="state.restored")
            self._metrics.restored(await self._database.read(last))
            self._restore_noted = True

    async def housekeeping(self) -> None:
        """Deletes what is older than the retention, now and every hour. Ends by cancellation."""
        while True:
            with to_be_tried_again("old runs could not be deleted"):
                await self.purge()
            await asyncio.sleep(RETENTION_INTERVAL)

    async def purge(self) -> None:
        """Deletes what is older than the retention, from the record and from the engine."""
        horizon = self._clock() - self._settings().retention
        host = self._database.host
        # Those that only look have never been the engine's.
        looks = partial(retention.purge_uneventful, host=host, tasks=self._looks())
        await self._database.write(partial(looks, before=max(horizon, self._clock() - UNEVENTFUL_FOR)))
        removed = await self._database.write(partial(retention.purge, host=host, before=horizon))
        if removed:
            await self._forget(removed)
            log.info("old runs deleted", count=len(removed))
        # In one machine's database also the chains that it had under former names.
        # Else this host's own, and those of its journals.
        own, journals = self._database.host, f"{self._database.host}{audit.JOURNAL}"
        for host in await self._database.read(audit.hosts):
            if self._database.one_machine or host == own or host.startswith(journals):
                await self._shorten(host)

    async def _shorten(self, host: str) -> None:
        """Deletes the oldest records of a chain, a few at a time."""
        now = self._clock()
        old = partial(audit.shorten, host=host, older_than=now - self._settings().audit_retention, now=now)
        while deleted := await self._database.write(old):
            log.info("old records of the audit deleted", host=host, count=deleted)
