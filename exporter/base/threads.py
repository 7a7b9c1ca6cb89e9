"""Blocking calls that may never return, such as on a dead network mount, without losing more than one thread each."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

from exporter.base.errors import UpkeeperError

T = TypeVar("T")


class StillStuck(UpkeeperError):
    """An earlier call for the same key has not returned yet, so no new one was started."""


class KeyedThreads:
    """Runs each blocking call in a daemon thread of its own, at most one for each key at a time.

    A thread stuck in the kernel cannot be ended. Its key stays occupied until it returns by itself,
    and it does not keep the process from exiting.
    """

    def __init__(self) -> None:
        self._occupied: set[Hashable] = set()

    async def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """The result of ``function()``, or what it raises. Raises StillStuck.

        When the caller is cancelled, the call continues unheard, and the key stays occupied until it has returned.
        """
        if key in self._occupied:
            raise StillStuck(f"an earlier call for {key!r} has not returned")
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def deliver(value: T | None, error: BaseException | None) -> None:
            if result.done():
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]

        def work() -> None:
            value, error = None, None
            try:
                value = function()
            except Exception as raised:  # noqa: BLE001 - handed to the caller, which awaits it
                error = raised
            self._occupied.discard(key)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(deliver, value, error)

        self._occupied.add(key)
        try:
            threading.Thread(target=work, name=f"blocking {key!r}", daemon=True).start()
        except RuntimeError:  # the system allows no more threads
            self._occupied.discard(key)
            raise
        return await result
