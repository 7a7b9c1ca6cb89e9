"""Which alerts fire on the hosts of a rollout: what Alertmanager says when asked, and what its webhooks have told.

Every alert counts whose labels name a host of the fleet, silenced and inhibited ones too, but for those of the
severities ``info`` and ``none``. Where it cannot be told what fires, the sight says why: then no other wave begins.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial

import sqlalchemy as sa

from remediator.config.config import Config
from remediator.decide.routing import Routing
from remediator.peers.alertmanager import KnownAlert
from remediator.peers.http import PeerError
from remediator.peers.places import Peers, PeerUnknown
from remediator.rollout.turn import Firing, Sight
from remediator.store import rollouts
from remediator.store.database import Database

NOT_COUNTED = ("info", "none")
"""Severities of alerts that tell no one that something is wrong."""


def counts(labels: dict[str, str]) -> bool:
    """Whether an alert says that something is not well."""
    return labels.get("severity") not in NOT_COUNTED


def firing(alerts: Collection[KnownAlert], routing: Routing, hosts: Collection[str], since: float) -> Sequence[Firing]:
    """Those of an Alertmanager that fire on these hosts and began since then. Without a mapping nobody can tell whose
    an alert is: each counts for each of them.
    """
    found = []
    for alert in alerts:
        labels = dict(alert.labels)
        if alert.starts_at < since or not counts(labels):
            continue
        route = routing.of(labels)
        name = labels.get("alertname", "")
        if routing.maps and route.no_host is None and route.host in hosts:
            found.append(Firing(route.host, name, alert.starts_at))
        elif not routing.maps:
            found += [Firing(host, name, alert.starts_at) for host in hosts]
    return found


class Looking:
    """watchdog_lost: whether the always-firing alert was expected and does not come."""

    def __init__(
        self,
        database: Database,
        peers: Peers,
        config: Callable[[], Config],
        watchdog_lost: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._peers = peers
        self._config = config
        self._watchdog_lost = watchdog_lost
        self._clock = clock

    def can(self) -> bool:
        """Whether there is an Alertmanager to be asked at all."""
        try:
            return bool(self._peers.urls("alertmanager"))
        except PeerUnknown:
            return False

    async def look(self, hosts: Collection[str], since: float) -> Sight:
        """What fires on these hosts and began since then. Raises SQLAlchemyError."""
        at = self._clock()
        try:
            urls = self._peers.urls("alertmanager")
        except PeerUnknown as error:
            return Sight(at, unknown=f"alerts cannot be known: {error}")
        told = await self._database.read(partial(self._told, hosts=hosts, since=since))
        answers = await asyncio.gather(*(self._ask(url) for url in urls))
        unknown = [answer for answer in answers if isinstance(answer, str)]
        if self._watchdog_lost():
            unknown.append("the alert Watchdog does not come")
        routing = Routing(self._database.host, self._config().fleet)
        found = [
            one for answer in answers if not isinstance(answer, str) for one in firing(answer, routing, hosts, since)
        ]
        why = f"alerts cannot be known: {unknown[0]}" if unknown else ""
        return Sight(at, sorted({*told, *found}, key=lambda one: (one.starts_at, one.host, one.name)), why)

    def _told(self, connection: sa.Connection, hosts: Collection[str], since: float) -> Sequence[Firing]:
        own = self._database.host if self._database.one_machine else None
        return [
            Firing(host, labels.get("alertname", ""), starts_at)
            for host, labels, starts_at in rollouts.alerts_since(connection, hosts, since, own)
            if counts(labels)
        ]

    async def _ask(self, url: str) -> Sequence[KnownAlert] | str:
        """The alerts of an Alertmanager, or why they are not known."""
        try:
            async with self._peers.alertmanager(url) as alertmanager:
                standing = await alertmanager.standing()
                found = await alertmanager.alerts()
        except PeerError as error:
            return str(error)
        # It knows nothing of what fires until Prometheus tells it again.
        if self._clock() - standing.started_at < self._config().reconcile.trust_after:
            return "Alertmanager was started just now"
        return found
