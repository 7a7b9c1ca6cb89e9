"""Keeps silences for as long as they are wanted: pages while the run for them is healthy, and those of pauses.

A page is held by a lease of minutes. If this process dies, nobody renews it, and the page goes out.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import sqlalchemy as sa
import structlog
from prometheus_client import CollectorRegistry, Gauge

from exporter.base.wakeup import is_set_within
from remediator.decide.remedies import Remedies
from remediator.model.errors import NoRoom
from remediator.model.lease import Lease, over
from remediator.runs.silencer import Silencer
from remediator.store import silences
from remediator.store.database import Database

log = structlog.get_logger(__name__)

TICK = 2.0
"""Seconds between two looks at the runs that pages are held for: only while there are any."""
AGAIN = 20.0
"""Seconds until an Alertmanager that did not answer is asked again to renew a lease."""
SETTLE = 60.0
"""Of a remedy that is no longer in the config."""
PURPOSES = ("page", "pause")


class SilenceMetrics:
    """What is silenced by us now."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._held = Gauge(
            "upkeeper_silences_held",
            "Silences that are kept in Alertmanager, for pages of runs and for pauses",
            ["purpose"],
            registry=registry,
        )
        self._since = Gauge(
            "upkeeper_silence_held_since_timestamp_seconds",
            "Since when the oldest of them has been kept; 0 where there is none",
            ["purpose"],
            registry=registry,
        )
        self.show([])

    def show(self, leases: Sequence[Lease]) -> None:
        for purpose in PURPOSES:
            since = [lease.since for lease in leases if lease.purpose == purpose and lease.held]
            self._held.labels(purpose).set(len(since))
            self._since.labels(purpose).set(min(since, default=0.0))


class Keeper:
    """lease: seconds that the silence of a page lasts without being renewed. look: asks Alertmanager which alerts fire,
    as no webhook tells the end of one that is silenced.
    """

    def __init__(
        self,
        database: Database,
        silencer: Silencer,
        remedies: Callable[[], Remedies],
        lease: Callable[[], float],
        clock: Callable[[], float],
        look: Callable[[], None],
        metrics: SilenceMetrics,
    ) -> None:
        self._database = database
        self._silencer = silencer
        self._remedies = remedies
        self._lease = lease
        self._clock = clock
        self._look = look
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._suspect = True
        self._started: dict[str, float] = {}
        self._tried: dict[int, float] = {}

    def wake(self) -> None:
        """A run, an alert or a pause has changed."""
        self._wake.set()

    def alertmanagers(self, started: Mapping[str, float]) -> None:
        """Since when each Alertmanager has been running: one that was restarted may have lost silences, and have again
        what was ended.
        """
        if any(self._started.get(url, at) != at for url, at in started.items()):
            self._suspect = True
            self._wake.set()
        self._started.update(started)

    async def run(self) -> None:
        """Keeps them. Ends by cancellation."""
        while True:
            try:
                pause = await self.keep()
            except (NoRoom, sa.exc.SQLAlchemyError, OSError) as error:
                log.warning("silences could not be kept", reason=str(error))
                pause = AGAIN
            await is_set_within(self._wake, pause)
            self._wake.clear()

    async def keep(self) -> float | None:
        """Does what is due; the seconds until more is, None for only when something happens."""
        if self._suspect:
            self._suspect = False
            await self._silencer.sweep()
            self._tried.clear()
            compare = True
        else:
            compare = False
        leases = await self._database.read(partial(silences.live, host=self._database.host))
        kept = [lease for lease in leases if await self._keep(lease, compare)]
        self._tried = {lease.id: self._tried[lease.id] for lease in kept if lease.id in self._tried}
        self._metrics.show(kept)
        if any(lease.settling for lease in kept):
            self._look()
        if any(lease.purpose == "page" for lease in kept):
            return TICK
        ends = [lease.until - self._clock() for lease in kept if lease.until is not None]
        return max(TICK, min(ends)) if ends else None

    async def _keep(self, lease: Lease, compare: bool) -> bool:
        """Whether it is still wanted. compare: what Alertmanager has is to be looked at in any case."""
        now = self._clock()
        why = over(lease, self._settle(lease), now)
        if why is not None:
            await self._silencer.end(lease, why)
            return False
        if lease.purpose == "pause":
            until = lease.until or now
            due = compare or not lease.held
        else:
            until = now + self._lease()
            due = compare or lease.until is None or lease.until - now <= self._lease() / 2
        if not due or now - self._tried.get(lease.id, -AGAIN) < AGAIN:
            return True
        put = await self._silencer.put(lease, until)
        if put.gone is not None:
            await self._silencer.forget(lease, put.gone)
            return False
        if put.failed:
            self._tried[lease.id] = now
            log.warning("silence is not kept everywhere", purpose=lease.purpose, run=lease.run_id, reason=put.failed[0])
        if not put.kept and lease.purpose == "page" and (lease.until is None or lease.until <= now):
            lapsed = "not held back" if lease.until is None else "no longer held back"
            await self._silencer.forget(lease, f"{lapsed}: {put.failed[0]}")
            self._suspect = True  # it may be there all the same
            return False
        return True

    def _settle(self, lease: Lease) -> float:
        remedy = self._remedies().named(lease.remedy)
        return remedy.settle if remedy is not None else SETTLE
