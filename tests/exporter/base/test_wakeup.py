"""Waits for an event, or for so long."""

import asyncio

import pytest

from exporter.base.wakeup import is_set_within


async def test_it_says_whether_the_event_is_set() -> None:
    event = asyncio.Event()
    assert not await is_set_within(event, 0.01)
    event.set()
    assert await is_set_within(event, 0.0)
    assert await is_set_within(event, None)


async def test_it_ends_where_it_is_cancelled_as_the_event_is_set() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(is_set_within(event, 60.0))
    await asyncio.sleep(0)
    event.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
