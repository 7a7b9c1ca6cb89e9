"""Since when Alertmanager and Prometheus have been running, and which episodes go on as others because of that."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from remediator.model.alert import unix_seconds
from remediator.model.episode import Episode
from remediator.peers.http import PeerError
from remediator.peers.places import Peers, PeerUnknown
from remediator.store import episodes
from remediator.store.database import Database
from remediator.webhook.outage import NEAR, Restarts, goes_on

log = structlog.get_logger(__name__)

SECONDS = 4.0
"""For the answers together. What has not come by then is not known."""


async def restarts(peers: Peers) -> Restarts:
    """What is known of them. Never fails."""
    prometheus, alertmanagers = await asyncio.gather(_prometheus(peers), _alertmanagers(peers))
    return Restarts(alertmanagers, prometheus)


async def _prometheus(peers: Peers) -> float | None:
    try:
        async with asyncio.timeout(SECONDS), peers.prometheus() as prometheus:
            return unix_seconds((await prometheus.status("runtimeinfo"))["startTime"])
    except (PeerError, PeerUnknown, TimeoutError, KeyError, TypeError, ValueError) as error:
        log.debug("start of prometheus unknown", reason=str(error))
        return None


async def _alertmanagers(peers: Peers) -> Sequence[float]:
    async def one(url: str) -> float | None:
        try:
            async with asyncio.timeout(SECONDS), peers.alertmanager(url) as alertmanager:
                return (await alertmanager.standing()).started_at
        except (PeerError, TimeoutError) as error:
            log.debug("start of alertmanager unknown", url=url, reason=str(error))
            return None

    try:
        found = await asyncio.gather(*map(one, peers.urls("alertmanager")))
    except PeerUnknown:
        return ()
    return [each for each in found if each is not None]


class Continuity:
    """Joins episodes that are one outage. clock: Unix seconds."""

    def __init__(self, database: Database, peers: Peers, clock: Callable[[], float]) -> None:
        self._database = database
        self._peers = peers
        self._clock = clock

    async def join(self, ids: Sequence[int]) -> None:
        """Joins each of these new episodes with the one before it, where that is the same outage. Raises NoRoom, and
        SQLAlchemyError.
        """
        before = await self._database.read(lambda connection: {id: episodes.before(connection, id) for id in ids})
        now = self._clock()
        recent = {
            id: episode
            for id, episode in before.items()
            if episode is not None and now - (episode.ends_at or episode.heard_at) <= 2 * NEAR
        }
        if not recent:
            return
        known = await restarts(self._peers)
        starts = await self._database.read(partial(episodes.starts, ids=list(recent)))
        for id, episode in recent.items():
            if id in starts and goes_on(episode, starts[id], known):
                await self.carry_over(episode, id)

    async def carry_over(self, before: Episode, after: int) -> None:
        """The outage of one episode goes on as another."""
        if self._database.held and not await self._database.read(
            partial(episodes.is_of, id=before.id, host=self._database.host)
        ):
            return  # its own host does that: nobody else may
        move = partial(episodes.carry_over, host=self._database.host, before=before.id, after=after, now=self._clock())
        await self._database.write(move)
        log.info("outage goes on after a restart", alert=before.id, as_alert=after)
