"""Blocking work of tasks in threads that end with whoever waits for it."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


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
