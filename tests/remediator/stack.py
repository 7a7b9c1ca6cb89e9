"""What tests of the remediator drive: alerts as they come in, a Core, its clock and the attic that its task sweeps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry

from remediator.config.config import Config
from remediator.config.remedies import Remedy
from remediator.control.core import Core
from remediator.control.settings import Settings
from remediator.decide.means import Means
from remediator.decide.remedies import Remedies
from remediator.engine import Engine
from remediator.guards.guard import Sources
from remediator.guards.judge import Judge
from remediator.metrics import Metrics
from remediator.model.alert import Notification, ReceivedAlert
from remediator.model.shapes.runs import RunView
from remediator.runs.closing import Closing
from remediator.runs.steps import Runner
from remediator.store.database import Database
from remediator.tasks.resources import Resources
from remediator.webhook.fingerprint import fingerprint
from tests.helpers import wait_until
from tests.remediator.sweep import Sweep

START = 1_800_000_000.0


@dataclass
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


def alert(
    *, starts_at: float = START, status: Literal["firing", "resolved"] = "firing", **labels: str
) -> ReceivedAlert:
    labels = {"alertname": "Cluttered", "room": "attic", **labels}
    return ReceivedAlert(
        fingerprint=fingerprint(labels),
        starts_at=starts_at,
        ends_at=None if status == "firing" else starts_at + 1,
        status=status,
        labels=labels,
        annotations={},
        generator_url="",
    )


def notification(*alerts: ReceivedAlert) -> Notification:
    return Notification(group_key="{}", receiver="upkeeper", truncated_alerts=0, external_url="", alerts=tuple(alerts))


@dataclass
class Stack:
    """A Core on a state directory of its own, with its decider running, and the attic that its task sweeps."""

    core: Core
    clock: Clock
    task: Sweep
    attic: Path
    remedies: list[Remedy]

    def clutter(self, count: int = 3) -> None:
        for number in range(count):
            (self.attic / f"f{number}").touch()

    async def receive(self, *alerts: ReceivedAlert) -> None:
        """Delivers alerts and waits until each has been decided about."""
        await self.core.inbox.accept(notification(*alerts))
        await wait_until(self._idle, what="all alerts to be decided")

    async def pass_time(self, seconds: float) -> None:
        """Lets so much time pass, and waits until what is due by then has been looked at."""
        self.clock.now += seconds
        await wait_until(self._idle, what="all that is due to be looked at")

    async def restart(self) -> None:
        """Stops the process's part in the middle of whatever it does, and starts it again on the same state."""
        await self.core.close()
        self.core = Core(self.core.state, settings(self.task, self.remedies), clock=self.clock)
        await self.core.open()
        await self.core.start_engine()

    async def _idle(self) -> bool:
        return await self.core.decider.decide_batch() == 0

    async def finished(self, count: int = 1, *, looking: bool = False) -> list[RunView]:
        """All runs, oldest first, once so many have finished and none is under way.

        looking: looks meanwhile at what is due, as after the end of a run.
        """

        async def done() -> list[RunView] | None:
            if looking:
                await self.core.decider.decide_batch()
            items = (await self.core.runs())["items"]
            return items[::-1] if len(items) == count and all(run["outcome"] for run in items) else None

        return await wait_until(done, what=f"{count} finished runs")


def settings(task: Sweep, remedies: list[Remedy], config: Config | None = None) -> Settings:
    # No ballast: nothing here keeps it, and 64 MiB for each test would be much.
    config = config or Config.model_validate({"remediator": {"ballast": 0}})
    jobs = {job.name: job for job in config.schedule.in_force}
    return Settings(config, Remedies(remedies, jobs=jobs), {task.facts.name: task}, Resources(config))


@asynccontextmanager
async def an_engine(path: Path, *tasks: Sweep, idle_seconds: float = 60.0) -> AsyncIterator[tuple[Engine, Database]]:
    """An engine on a database of that path, and the database, without what decides or asks for runs."""
    database = Database(path)
    await database.migrate()
    known = {task.facts.name: task for task in tasks}
    metrics = Metrics(CollectorRegistry())
    judge = Judge(Sources(database, tasks=lambda: known))
    means = Means(database, judge, lambda: known, lambda: Remedies([]), lambda: START)
    runner = Runner(means, metrics, Closing(metrics, lambda _: None), lambda: None)
    engine = Engine(database.url, runner, executor_id="host", workers=2, idle_seconds=idle_seconds)
    try:
        yield engine, database
    finally:
        await engine.stop()
        await database.close()
