"""Stores what webhooks bring before they are answered, many of them in one commit when they come at once."""

import asyncio
from collections.abc import Callable
from functools import partial

from remediator.model.alert import Notification, ReceivedAlert
from remediator.store import alerts
from remediator.store.database import Database


class Inbox:
    """A group commit: while one transaction goes to disk, whatever arrives gathers for the next.

    on_stored: called after each commit, to wake whoever decides.
    """

    def __init__(self, database: Database, clock: Callable[[], float], on_stored: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._on_stored = on_stored
        self._gathered: list[tuple[ReceivedAlert, float]] = []
        self._next: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    async def accept(self, notification: Notification) -> int:
        """Stores the alerts; they are on disk when this returns. The number of alerts. Raises SQLAlchemyError."""
        now = self._clock()
        self._gathered.extend((alert, now) for alert in notification.alerts)
        if self._next is None:
            self._next = asyncio.create_task(self._commit(self._writing), name="inbox commit")
        # Shielded: a client that hangs up must not take the commit from the others.
        await asyncio.shield(self._next)
        return len(notification.alerts)

    async def _commit(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        received, self._gathered = self._gathered, []
        self._writing, self._next = self._next, None
        await self._database.write(partial(alerts.accept, received=received))
        self._on_stored()
