"""Waiting for the wall clock, on the kernel's own timer."""

import asyncio
import time

import pytest

from remediator.schedule import alarm
from remediator.schedule.alarm import Alarm


async def test_it_rings_at_its_time_and_not_before() -> None:
    until = time.time() + 0.3
    await Alarm().wait(until)
    assert time.time() >= until


async def test_a_time_that_has_passed_rings_at_once() -> None:
    async with asyncio.timeout(30):
        await Alarm().wait(time.time() - 3600)


async def test_it_rings_when_it_is_told_to_also_before_it_is_waited_for() -> None:
    one = Alarm()
    async with asyncio.timeout(30):
        one.ring()
        await one.wait(None)
        waiting = asyncio.create_task(one.wait(None))
        await asyncio.sleep(0)
        one.ring()
        await waiting


async def test_without_such_a_timer_the_clock_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "_timer", lambda at: None)
    until = time.time() + 0.3
    await Alarm().wait(until)
    assert time.time() >= until - 0.05
