"""Stores what webhooks bring before they are answered, many of them in one commit when they come at once."""

import asyncio
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa

from remediator.model.alert import Notification, ReceivedAlert
from remediator.model.errors import unavailable
from remediator.store import alerts, episodes
from remediator.store.database import Database


class Inbox:
    """A group commit: while one transaction goes to disk, whatever arrives gathers for the next.

    router: whose each alert is, where hosts share the database.
    on_stored: called after each commit, to wake whoever decides. on_received: called with what a commit has stored.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        on_stored: Callable[[], None],
        on_received: Callable[[Notification], None],
        router: Callable[[], alerts.Router | None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_stored = on_stored
        self._on_received = on_received
        self._router = router
        self._senders: dict[str, float] = {}
        self._gathered: list[tuple[ReceivedAlert, float]] = []
        self._names: set[str] = set()
        self._next: asyncio.Task[frozenset[str]] | None = None
        self._writing: asyncio.Task[frozenset[str]] | None = None

    async def accept(self, notification: Notification) -> int:
        """Stores the alerts; they are on disk when this returns. The number of alerts.

        Raises SQLAlchemyError, and RequestError where some are another host's that cannot be told of them now.
        """
        now = self._clock()
        self._gathered.extend((alert, now) for alert in notification.alerts)
        self._names.add(notification.receiver)
        if self._next is None:
            self._next = asyncio.create_task(self._commit(self._writing), name="inbox commit")
        # Shielded: a client that hangs up must not take the commit from the others.
        others = await asyncio.shield(self._next)
        self._on_received(notification)
        if others and self._database.journal is not None:
            self._refuse_others(notification, others)
        return len(notification.alerts)

    def _refuse_others(self, notification: Notification, known: frozenset[str]) -> None:
        """On a journal, which no other host reads: what is another's is offered to that one again. This host's is
        stored all the same.
        """
        router = self._router()
        assert router is not None, "a journal is of a host among others"
        others = known & {router.of(alert.labels).host for alert in notification.alerts}
        if others:
            raise unavailable(
                f"the database that hosts share is away: send it to {' and '.join(sorted(others))}, or again later"
            )

    async def _commit(self, before: asyncio.Task[frozenset[str]] | None) -> frozenset[str]:
        """The other hosts whose some of what it stored is."""
        if before is not None:
            await asyncio.wait({before})
        received, self._gathered = self._gathered, []
        self._writing, self._next = self._next, None
        now = self._clock()
        names, self._names = self._names, set()
        fresh = [name for name in names if abs(now - self._senders.get(name, 0.0)) >= episodes.HEARD_EVERY]
        store = partial(_store, host=self._database.host, received=received, names=fresh, now=now)
        others = await self._database.write(partial(store, router=self._router()), urgent=True)
        self._senders.update(dict.fromkeys(fresh, now))
        self._on_stored()
        return others


def _store(
    connection: sa.Connection,
    host: str,
    received: list[tuple[ReceivedAlert, float]],
    names: list[str],
    now: float,
    router: alerts.Router | None,
) -> frozenset[str]:
    others = alerts.accept(connection, received, router)
    episodes.heard(connection, host, names, now)
    return others
