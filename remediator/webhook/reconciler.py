"""Compares the record with Alertmanager from time to time, and stores what webhooks did not tell."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import get_args

import sqlalchemy as sa
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from exporter.base.complaints import Complaints
from exporter.base.wakeup import is_set_within
from remediator.config.config import Config
from remediator.decide.remedies import Remedies
from remediator.model.alert import ReceivedAlert
from remediator.model.episode import Episode
from remediator.model.errors import NoRoom
from remediator.peers.alertmanager import KnownAlert
from remediator.peers.http import PeerError
from remediator.peers.places import Peers, PeerUnknown
from remediator.store import alerts, episodes, silences
from remediator.store.database import Database
from remediator.store.room import ROOM_INTERVAL
from remediator.webhook.outage import goes_on
from remediator.webhook.reconcile import Begun, Changes, Key, Missed, Reading, View, compare
from remediator.webhook.restarts import Continuity, restarts
from remediator.webhook.routes import pace, receivers_of
from remediator.webhook.watchdog import NAME as WATCHDOG
from remediator.webhook.watchdog import Watchdog

log = structlog.get_logger(__name__)

FIRST_AFTER = 5.0
"""Seconds after the start of this process: Alertmanager, which may have been started with it, is up by then."""


class ReconcileMetrics:
    """What webhooks did not tell, and when that was last looked for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._missed = Counter(
            "upkeeper_reconcile_missed",
            "Beginnings and ends of alerts that no webhook told, and that Alertmanager was asked for",
            ["kind"],
            registry=registry,
        )
        for kind in get_args(Missed):
            self._missed.labels(kind)
        self.last = Gauge(
            "upkeeper_reconcile_last_success_timestamp_seconds",
            "When the record was last compared with Alertmanager; 0 before the first time",
            registry=registry,
        )

    def missed(self, kind: Missed) -> None:
        self._missed.labels(kind).inc()


class Reconciler:
    """Looks at every Alertmanager there is.

    on_stored: called when there is something to be decided about. on_look: called after each look, with since when each
    Alertmanager that answered has been running, by its URL. router: as the Inbox's.
    """

    def __init__(
        self,
        database: Database,
        peers: Peers,
        config: Callable[[], Config],
        remedies: Callable[[], Remedies],
        clock: Callable[[], float],
        watchdog: Watchdog,
        continuity: Continuity,
        metrics: ReconcileMetrics,
        on_stored: Callable[[], None],
        on_look: Callable[[Mapping[str, float]], None],
        router: Callable[[], alerts.Router | None] = lambda: None,
    ) -> None:
        self._database = database
        self._peers = peers
        self._config = config
        self._remedies = remedies
        self._clock = clock
        self._watchdog = watchdog
        self._continuity = continuity
        self._metrics = metrics
        self._on_stored = on_stored
        self._on_look = on_look
        self._router = router
        self._one_at_a_time = asyncio.Lock()
        self._since = clock()
        self._noticed: Mapping[Key, float] = {}
        self._had: dict[str, tuple[float, frozenset[str]]] = {}
        self._cut_off: list[Mapping[str, str]] = []
        self._wake = asyncio.Event()
        self._silent = Complaints(log, "alertmanager cannot be asked", "alertmanager answers again", "url")

    def cut_off(self, group: Mapping[str, str]) -> None:
        """A group was sent without some of its alerts: look at once. group: the labels that all of it share."""
        self._cut_off.append(group)
        self._wake.set()

    def look_soon(self) -> None:
        """What Alertmanager has may have changed."""
        self._wake.set()

    async def run(self) -> None:
        """Looks from time to time. Ends by cancellation."""
        pause = FIRST_AFTER
        while True:
            await is_set_within(self._wake, pause)
            self._wake.clear()
            pause = self._config().reconcile.every
            try:
                await self.look()
            except NoRoom:
                pause = ROOM_INTERVAL  # logged by the store, once
            except (sa.exc.SQLAlchemyError, OSError):
                log.exception("what alertmanager has could not be compared")

    async def look(self) -> Changes:
        """Compares once, and stores what is to be. Raises NoRoom, SQLAlchemyError and OSError."""
        async with self._one_at_a_time:
            return await self._look()

    async def _look(self) -> Changes:
        try:
            urls = self._peers.urls("alertmanager")
        except PeerUnknown:
            return Changes()
        cut_off, self._cut_off = self._cut_off, []
        receivers = receivers_of(await self._database.read(partial(episodes.receivers, host=self._database.host)))
        answers = await asyncio.gather(*(self._read(url, receivers) for url in urls))
        had = self._remember(dict(zip(urls, answers, strict=True)))
        readings = [replace(one, had=had[url]) for url, one in zip(urls, answers, strict=True) if one is not None]
        self._watchdog.routed = any(
            alert.labels.get("alertname") == WATCHDOG and not alert.receivers.isdisjoint(receivers)
            for reading in readings
            for alert in reading.alerts
        )
        fingerprints = {alert.fingerprint for reading in readings for alert in reading.alerts}
        known = await self._database.read(partial(episodes.to_compare, fingerprints=fingerprints))
        leases = await self._database.read(partial(silences.live, host=self._database.host))
        held = {lease.alert_id for lease in leases if lease.held}
        changes = compare(
            View(
                episodes=[replace(one, held=True) if one.id in held else one for one in known],
                readings=readings,
                receivers=receivers,
                now=self._clock(),
                since=self._since,
                silent=len(answers) - len(readings),
                ours={id for lease in leases for id in lease.held.values()},
                noticed=self._noticed,
                trust_after=self._config().reconcile.trust_after,
                at_once=lambda labels: any(group.items() <= labels.items() for group in cut_off),
                acts_when_silenced=self._acts_when_silenced,
            )
        )
        self._noticed = changes.noticed
        firing = {episode.fingerprint for episode in known if episode.firing} | fingerprints
        self._had = {url: (started_at, had & firing) for url, (started_at, had) in self._had.items()}
        if readings:
            await self._store(changes, min(reading.read_at for reading in readings))
            self._metrics.last.set(self._clock())
        started = {url: one.started_at for url, one in zip(urls, answers, strict=True) if one is not None}
        self._on_look(started)
        return changes

    def _remember(self, answers: Mapping[str, Reading | None]) -> Mapping[str, frozenset[str]]:
        """What each Alertmanager had at the looks before this one, since it was started."""
        before = {}
        for url, reading in answers.items():
            started_at, had = self._had.get(url, (0.0, frozenset()))
            if reading is not None:
                before[url] = had if started_at == reading.started_at else frozenset()
                now = frozenset(alert.fingerprint for alert in reading.alerts)
                self._had[url] = reading.started_at, before[url] | now
        return before

    async def _read(self, url: str, receivers: frozenset[str]) -> Reading | None:
        asked = self._clock()
        try:
            async with self._peers.alertmanager(url) as alertmanager:
                standing = await alertmanager.standing()
                found = await alertmanager.alerts()
                ours = [alert for alert in found if not alert.receivers.isdisjoint(receivers)]
                silenced = any(alert.silenced_by for alert in ours)
                silences = await alertmanager.silences() if silenced else ()
        except PeerError as error:
            self._silent.note(url, str(error))
            return None
        self._silent.note(url, "")
        of = pace(standing.config, receivers)
        by_id = {silence.id: silence for silence in silences}
        return Reading(asked, standing.started_at, found, told_within=of.told_within, timed=of.timed, silences=by_id)

    def _acts_when_silenced(self, labels: Mapping[str, str]) -> bool:
        return any(one.remedy.silenced == "run" for one in self._remedies().select(labels))

    async def _store(self, changes: Changes, asked_at: float) -> None:
        begun = await self._joined(changes.begun)
        now = self._clock()

        def write(connection: sa.Connection) -> tuple[dict[int, Episode], list[int]]:
            alerts.accept(connection, [(_received(one.alert), now) for one, _ in begun], self._router())
            joined = {}
            muted = dict(changes.muted)
            for one, goes_on_from in begun:
                id = episodes.id_of(connection, one.alert.fingerprint, one.alert.starts_at)
                if id is not None and one.muted is not None:
                    muted[id] = one.muted
                if id is not None and goes_on_from is not None:
                    joined[id] = goes_on_from
            ended = episodes.end(connection, [one.episode.id for one in changes.ended], now, asked_at)
            episodes.reopen(connection, [one.id for one in changes.reopened], now)
            episodes.see(connection, [one.id for one in changes.seen], now)
            episodes.mute(connection, muted, now)
            return joined, ended

        joined, ended = await self._database.write(write)
        for id, before in joined.items():
            await self._continuity.carry_over(before, id)
        self._tell(begun, [(one.missed, one.episode) for one in changes.ended if one.episode.id in ended], changes)
        if begun or ended or changes.reopened or changes.muted:
            self._on_stored()

    async def _joined(self, begun: Sequence[Begun]) -> list[tuple[Begun, Episode | None]]:
        """Each with the episode that it goes on from after a restart, if it does."""
        if all(one.before is None for one in begun):
            return [(one, None) for one in begun]
        known = await restarts(self._peers)
        found: list[tuple[Begun, Episode | None]] = []
        for one in begun:
            if one.before is not None and goes_on(one.before, one.alert.starts_at, known):
                found.append((one._replace(missed=one.missed and "restarted"), one.before))
            else:
                found.append((one, None))
        return found

    def _tell(
        self,
        begun: Sequence[tuple[Begun, Episode | None]],
        ended: Sequence[tuple[Missed | None, Episode]],
        changes: Changes,
    ) -> None:
        for one, _ in begun:
            if one.missed is not None:
                self._metrics.missed(one.missed)
                log.info("alert that no webhook told", alertname=one.alert.labels.get("alertname"), kind=one.missed)
        for missed, episode in ended:
            if missed is not None:
                self._metrics.missed(missed)
                log.info("end of an alert that no webhook told", alert=episode.id, kind=missed)
        for episode in changes.reopened:
            self._metrics.missed("firing")
            log.info("alert fires although a webhook told its end", alert=episode.id)


def _received(alert: KnownAlert) -> ReceivedAlert:
    return ReceivedAlert(
        fingerprint=alert.fingerprint,
        starts_at=alert.starts_at,
        status="firing",
        labels=dict(alert.labels),
        annotations=dict(alert.annotations),
        generator_url=alert.generator_url,
    )
