"""Keeps the ballast whole, and says how it stands."""

import asyncio
from collections.abc import Callable

from remediator.control.again import to_be_tried_again
from remediator.model.shapes import BallastView
from remediator.store.ballast import Ballast
from remediator.store.room import ROOM_INTERVAL

LOOK_INTERVAL = 3600.0
"""Seconds between looks at a ballast that is whole: nothing but a person takes it away unheard."""
MOST_PATIENCE = 300.0
"""Seconds between attempts to lay it on a disk that stays full."""


class BallastKeeper:
    """size: what the config says."""

    def __init__(self, ballast: Ballast, size: Callable[[], int | None]) -> None:
        self._ballast = ballast
        self._size = size
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
                    whole = (await asyncio.to_thread(self._ballast.lay, self._size())).whole
                try:
                    await asyncio.wait_for(self._woken.wait(), LOOK_INTERVAL if whole else patience)
                    patience = ROOM_INTERVAL
                except TimeoutError:
                    patience = min(2 * patience, MOST_PATIENCE)
