"""Blocking and long work of tasks in threads that end with whoever waits for it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from remediator.model.task import TaskError

_T = TypeVar("_T")
_LOOK_SECONDS = 0.5


async def in_thread(work: Callable[[threading.Event], _T]) -> _T:
    """Runs blocking work in a thread. When cancelled, tells it to stop, and returns only once it has."""
    stop = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        running.exception()  # fetched, since asyncio would report an exception that nobody asked for
        raise


async def in_loop(work: Callable[[threading.Event], Coroutine[Any, Any, _T]]) -> _T:
    """Runs a coroutine in a thread with a loop of its own, so that it may block. When cancelled, as in_thread does."""

    async def watched(stop: threading.Event) -> _T:
        task = asyncio.ensure_future(work(stop))
        while not (await asyncio.wait([task], timeout=_LOOK_SECONDS))[0]:
            if stop.is_set():
                task.cancel()
        return task.result()

    def run(stop: threading.Event) -> _T:
        try:
            return asyncio.run(watched(stop))
        except asyncio.CancelledError:
            raise TaskError("stopped before it was done") from None

    return await in_thread(run)
