"""Small stand-ins for what tests of the exporter must control: the clock, and collectors that do as they are told."""

import asyncio
from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily, Metric


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FakeCollector:
    """Yields ``upkeeper_<name>`` with ``value``, or raises ``error``, as often as its interval says."""

    def __init__(self, name: str = "fake", interval: float = 0.005, deadline: float = 10.0) -> None:
        self.name = name
        self.interval = interval
        self.deadline = deadline
        self.value = 1.0
        self.error: Exception | None = None
        self.rounds = 0

    async def collect(self) -> Sequence[Metric]:
        self.rounds += 1
        if self.error is not None:
            raise self.error
        return [GaugeMetricFamily(f"upkeeper_{self.name}", "A test.", value=self.value)]


class HangingCollector(FakeCollector):
    """Never ends by itself. With ``stubborn`` it does not let itself be cancelled either, until ``release`` is set."""

    def __init__(self, name: str = "hanging", deadline: float = 0.01, stubborn: bool = False) -> None:
        super().__init__(name, deadline=deadline)
        self.release = asyncio.Event()
        self.stubborn = stubborn
        self.running = 0
        self.most_at_once = 0

    async def collect(self) -> Sequence[Metric]:
        self.rounds += 1
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            while not self.release.is_set():
                try:
                    await self.release.wait()
                except asyncio.CancelledError:
                    if not self.stubborn:
                        raise
        finally:
            self.running -= 1
        return [GaugeMetricFamily(f"upkeeper_{self.name}", "A test.", value=self.value)]
