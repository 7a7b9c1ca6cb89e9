"""Makes, renews and ends silences of ours in every Alertmanager. Never touches one that a person made or took over.

What was tried with Alertmanager 0.25 and 0.28 shapes it. A silence keeps its id only where it is renewed with its start
as it was read back. One that was made in the last quarter of an hour is gone after a ``kill -9`` of Alertmanager, and
one that was ended is active again; so what it has is compared, and not remembered.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
import structlog

from exporter.base.complaints import Complaints
from remediator.model.lease import Lease
from remediator.model.silence import Silence, creator, is_ours
from remediator.peers.alertmanager import Alertmanager
from remediator.peers.http import PeerError
from remediator.peers.places import Peers, PeerUnknown
from remediator.store import silences
from remediator.store.database import Database

log = structlog.get_logger(__name__)

GOSSIP = (0.2, 0.4, 0.8)
"""Seconds between looks whether another Alertmanager has heard of a silence: in a cluster it soon has."""
CLOCKS_DIFFER = 300.0
"""Seconds by which Alertmanager's clock may be behind ours: what begins in its past begins at once."""
SLACK = 1.0
"""Seconds by which a silence may end earlier than wanted."""


@dataclass(frozen=True)
class Put:
    """What became of a lease. kept: whether some Alertmanager has it until then. gone: why it is over, as somebody has
    ended it or taken it over. failed: why others could not be asked.
    """

    held: Mapping[str, str]
    kept: bool = False
    gone: str | None = None
    failed: Sequence[str] = ()


class Silencer:
    """Acts in Alertmanager, one thing after the other."""

    def __init__(self, database: Database, peers: Peers, clock: Callable[[], float]) -> None:
        self._database = database
        self._peers = peers
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._unswept = Complaints(log, "silences cannot be looked through", "silences can be looked through", "url")

    async def put(self, lease: Lease, until: float) -> Put:
        """Makes it, or renews it until then, and stores where. Raises SQLAlchemyError, and NoRoom."""
        async with self._one_at_a_time:
            result = await self._put(lease, until)
            if result.kept:
                await self._database.write(
                    partial(
                        silences.held,
                        host=self._database.host,
                        lease=lease,
                        there=result.held,
                        until=until,
                        now=self._clock(),
                    )
                )
            return result

    async def _put(self, lease: Lease, until: float) -> Put:
        held = dict(lease.held)
        fresh, kept = False, False
        failed: list[str] = []
        try:
            urls = self._peers.urls("alertmanager")
        except PeerUnknown as error:
            return Put({}, failed=[str(error)])
        for url in urls:
            there = held.get(url) or next(iter(held.values()), None)
            patience = GOSSIP if fresh and url not in held else ()
            try:
                async with self._peers.alertmanager(url) as alertmanager:
                    before = await _look(alertmanager, there, patience) if there is not None else None
                    if before is not None and before.state == "expired":
                        return Put(held, gone="somebody ended it in Alertmanager, or it lapsed")
                    if before is not None and not is_ours(before, self._database.host):
                        return Put(held, gone="somebody has taken it over in Alertmanager")
                    if before is None or before.ends_at < until - SLACK:
                        fresh = fresh or there is None
                        held[url] = await self._write(alertmanager, lease, before, until)
                    else:
                        held[url] = before.id
                    kept = True
            except PeerError as error:
                failed.append(str(error))
        return Put(held, kept, failed=failed)

    async def _write(self, alertmanager: Alertmanager, lease: Lease, before: Silence | None, until: float) -> str:
        return await alertmanager.put(
            Silence(
                matchers=lease.matchers,
                starts_at=self._clock() - CLOCKS_DIFFER,
                starts_text=before.starts_text if before is not None else "",
                ends_at=until,
                created_by=creator(self._database.host),
                comment=lease.comment,
                id=before.id if before is not None else "",
            )
        )

    async def end(self, lease: Lease, reason: str) -> None:
        """Ends it everywhere, and stores why. Raises SQLAlchemyError, and NoRoom.

        Where an Alertmanager does not answer it lapses by itself.
        """
        async with self._one_at_a_time:
            for url, id in lease.held.items():
                await self._expire(url, [id])
            if await self._database.write(self._ended(lease, reason)):
                log.info("silence ended", purpose=lease.purpose, run=lease.run_id, reason=reason)

    async def forget(self, lease: Lease, reason: str) -> None:
        """Stores that it is over, and leaves what is in Alertmanager alone: it is no longer ours."""
        await self._database.write(self._ended(lease, reason))
        log.info("silence over", purpose=lease.purpose, run=lease.run_id, reason=reason)

    def _ended(self, lease: Lease, reason: str) -> Callable[[sa.Connection], bool]:
        return partial(silences.end, host=self._database.host, lease=lease, reason=reason, now=self._clock())

    async def sweep(self) -> None:
        """Ends silences of this host that nothing wants: of runs that are no longer, and those that came back."""
        async with self._one_at_a_time:
            leases = await self._database.read(partial(silences.live, host=self._database.host))
            wanted = {id for lease in leases for id in lease.held.values()}
            try:
                urls = self._peers.urls("alertmanager")
            except PeerUnknown:
                return
            for url in urls:
                try:
                    async with self._peers.alertmanager(url) as alertmanager:
                        left = [
                            one.id
                            for one in await alertmanager.silences()
                            if one.state != "expired" and one.id not in wanted and is_ours(one, self._database.host)
                        ]
                except PeerError as error:
                    self._unswept.note(url, str(error))
                    continue
                self._unswept.note(url, "")
                await self._expire(url, left)
                if left:
                    log.info("silences that nothing wants were ended", url=url, count=len(left))

    async def _expire(self, url: str, ids: Collection[str]) -> None:
        if url not in self._urls():
            return  # no longer in the config
        try:
            async with self._peers.alertmanager(url) as alertmanager:
                for id in ids:
                    silence = await alertmanager.silence(id)
                    if silence is not None and silence.state != "expired" and is_ours(silence, self._database.host):
                        await alertmanager.expire(id)
        except PeerError as error:
            log.warning("silence could not be ended and will lapse", reason=str(error))

    def _urls(self) -> Sequence[str]:
        try:
            return self._peers.urls("alertmanager")
        except PeerUnknown:
            return ()


async def _look(alertmanager: Alertmanager, id: str, patience: Sequence[float]) -> Silence | None:
    found = await alertmanager.silence(id)
    for pause in patience:
        if found is not None:
            break
        await asyncio.sleep(pause)
        found = await alertmanager.silence(id)
    return found
