"""Keeps the ballast whole, and says how it stands."""

import asyncio
from collections.abc import Callable, Iterator

from exporter.base.wakeup import is_set_within
from remediator.audit.record import Entry
from remediator.control.again import to_be_tried_again
from remediator.model.shapes.status import BallastView
from remediator.store import audit
from remediator.store.ballast import Ballast, Standing
from remediator.store.database import Database
from remediator.store.room import ROOM_INTERVAL

LOOK_INTERVAL = 3600.0
"""Seconds between looks at a ballast that is whole: nothing but a person takes it away unheard."""
MOST_PATIENCE = 300.0
"""Seconds between attempts to lay it on a disk that stays full."""


class BallastKeeper:
    """size: what the config says."""

    def __init__(
        self, ballast: Ballast, size: Callable[[], int | None], database: Database, clock: Callable[[], float]
    ) -> None:
        self._ballast = ballast
        self._size = size
        self._database = database
        self._clock = clock
        self._recorded: Standing | None = None
        """How it stood by the audit."""
        self._woken = asyncio.Event()

    async def look(self) -> BallastView | None:
        """How it stands; None where the disk does not tell."""
        try:
            now = await asyncio.to_thread(self._ballast.look, self._size())
        except OSError:
            return None
        return {
            "bytes": now.bytes,
            "wanted_bytes": now.wanted_bytes,
            "inodes": now.inodes,
            "wanted_inodes": now.wanted_inodes,
            "whole": now.whole,
            "lacks": now.lacks,
            "doubt": now.doubt,
        }

    def wake(self) -> None:
        """To be called when there may be room now, or another size is wanted."""
        self._woken.set()

    async def keep(self) -> None:
        """Lays it now, and anew after it was released, as soon as there is room. Ends by cancellation."""
        loop = asyncio.get_running_loop()
        with self._ballast.watched(lambda: loop.call_soon_threadsafe(self.wake)):
            patience = ROOM_INTERVAL
            while True:
                self._woken.clear()
                whole = False
                with to_be_tried_again("the ballast could not be laid"):
                    whole = await self._lay()
                called = await is_set_within(self._woken, LOOK_INTERVAL if whole else patience)
                patience = ROOM_INTERVAL if called else min(2 * patience, MOST_PATIENCE)

    async def _lay(self) -> bool:
        """Whether it is whole now. Raises OSError, SQLAlchemyError."""
        before = await asyncio.to_thread(self._ballast.look, self._size())
        now = await asyncio.to_thread(self._ballast.lay, self._size())
        entries = list(changes(self._recorded or before, before, now, self._clock()))
        if entries:
            await self._database.write(lambda connection: audit.append(connection, self._database.host, *entries))
        self._recorded = now
        return now.whole


def changes(recorded: Standing, before: Standing, now: Standing, at: float) -> Iterator[Entry]:
    """What the audit is to know: that some was released since it was recorded, and that some was laid. Pure."""
    if before.bytes < recorded.bytes or before.inodes < recorded.inodes:
        yield Entry("ballast.released", at, body=_held(before))
    if now.bytes > before.bytes or now.inodes > before.inodes:
        yield Entry("ballast.laid", at, body=_held(now))


def _held(standing: Standing) -> dict[str, int]:
    return {
        "bytes": standing.bytes,
        "inodes": standing.inodes,
        "wanted_bytes": standing.wanted_bytes,
        "wanted_inodes": standing.wanted_inodes,
    }
