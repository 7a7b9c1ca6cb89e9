"""Waits for an event, or for so long."""

import asyncio


async def is_set_within(event: asyncio.Event, seconds: float | None) -> bool:
    """Whether the event is set by then. None waits without end.

    Not by ``asyncio.wait_for``: before Python 3.12 it swallows a cancellation that comes as the event is set.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
