"""Asking an engine of another machine for figures: a few at a time, and in turn."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from exporter.docker.containers import Inspected, ListedContainer
from exporter.docker.engine import DockerEngine, DockerUnavailable
from exporter.docker.statistics import AT_ONCE, EngineStatistics
from tests.exporter.docker.test_container_figures import STATISTICS
from tests.exporter.fakes import FakeClock
from tests.helpers import wait_until

T = TypeVar("T")


class Engine(DockerEngine):
    """Answers when a tick comes, as engines before 23 do; those of ``failing`` with an error."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks = asyncio.Semaphore(0)
        self.asked: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.running = 0
        self.most_at_once = 0

    def patient(self, timeout: float, threads: int = 2) -> DockerEngine:
        return self

    async def call(self, function: Callable[[Any], T]) -> T:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await self.ticks.acquire()
            return function(self)
        finally:
            self.running -= 1

    def stats(self, key: str, *, stream: bool, one_shot: bool) -> dict[str, Any]:
        assert (stream, one_shot) == (False, True)
        self.asked.append(key)
        if key in self.failing:
            raise self.failing[key]
        return STATISTICS

    def tick(self, count: int) -> None:
        for _ in range(count):
            self.ticks.release()


def containers(*names: str, pid: int = 1) -> list[ListedContainer]:
    return [ListedContainer(name, name, "running", inspected=Inspected(pid=pid)) for name in names]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_all_are_asked_a_few_at_a_time(clock: FakeClock) -> None:
    engine = Engine()
    statistics = EngineStatistics(engine, 60, clock)
    names = [str(number) for number in range(5 * AT_ONCE)]
    reading = asyncio.create_task(statistics.read(containers(*names), 30))
    await wait_until(lambda: engine.running, equals=AT_ONCE)
    engine.tick(len(names))
    assert (await reading).keys() == set(names)
    assert engine.most_at_once == AT_ONCE


async def test_those_there_was_no_time_for_come_first_the_next_time(clock: FakeClock) -> None:
    engine = Engine()
    statistics = EngineStatistics(engine, 60, clock)
    names = [f"{number:02}" for number in range(12)]
    engine.tick(10)
    assert (await statistics.read(containers(*names), 0.05)).keys() == set(names[:10])
    clock.now += 15
    engine.asked.clear()
    engine.tick(2)
    found = await statistics.read(containers(*names), 0.05)
    assert set(engine.asked) == set(names[10:])
    assert found.keys() == set(names)  # the others keep theirs
    assert engine.running == 0


async def test_figures_grow_too_old(clock: FakeClock) -> None:
    engine = Engine()
    statistics = EngineStatistics(engine, 60, clock)
    engine.tick(1)
    assert await statistics.read(containers("a"), 0.05)
    clock.now += 60
    assert await statistics.read(containers("a"), 0.05)
    clock.now += 1
    assert not await statistics.read(containers("a"), 0.05)


async def test_a_container_that_was_started_anew_does_not_keep_its_figures(clock: FakeClock) -> None:
    engine = Engine()
    statistics = EngineStatistics(engine, 60, clock)
    engine.tick(1)
    assert await statistics.read(containers("a"), 0.05)
    assert not await statistics.read(containers("a", pid=2), 0.05)
    assert not await statistics.read(containers("a"), 0.05)


@pytest.mark.parametrize("error", [DockerUnavailable("slow"), OSError("404 Client Error")])
async def test_one_that_fails_costs_only_itself(clock: FakeClock, error: Exception) -> None:
    engine = Engine()
    engine.failing["a"] = error
    engine.tick(2)
    assert (await EngineStatistics(engine, 60, clock).read(containers("a", "b"), 5)).keys() == {"b"}


async def test_none_to_ask(clock: FakeClock) -> None:
    engine = Engine()
    assert await EngineStatistics(engine, 60, clock).read([], 5) == {}
    assert engine.most_at_once == 0
