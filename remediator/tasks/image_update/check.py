"""image-check: which services have newer images. It only looks, and notes what it saw for metrics and alerts."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.docker.engine import DockerEngine, DockerUnavailable
from exporter.docker.objects import timestamp
from remediator.config.images import Images
from remediator.images.news import ImageNews, after, read_news, write_news
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, TaskError
from remediator.tasks.image_update.choose import judge
from remediator.tasks.image_update.facts import ALL, IMAGE_CHECK
from remediator.tasks.image_update.look import Looked, Looker
from remediator.tasks.image_update.rows import ImageRow
from remediator.tasks.image_update.services import Estate
from remediator.tasks.image_update.showing import row_of
from remediator.tasks.worker import in_thread

AT_ONCE = 4
"""Services that are looked at at the same time: each waits for its registry and for Compose."""
SAME_LOOK = 120.0
"""Seconds for which a look serves measuring and planning."""


@dataclass(frozen=True)
class Look:
    at: float
    rows: Sequence[ImageRow]
    notes: Sequence[str]
    waiting: int
    silent: int


class ImageCheck:
    """Looks at all services of Compose projects. state_dir: where what was seen is noted; None: nowhere."""

    facts = IMAGE_CHECK
    parameters = Parameters
    action_timeout = 60.0

    def __init__(
        self,
        looker: Looker,
        settings: Images,
        state_dir: Path | None,
        engine: DockerEngine,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._looker, self._settings, self._state_dir, self._clock = looker, settings, state_dir, clock
        self._estate = Estate(engine)
        self._last: Look | None = None

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        """Never breached: what waits for long has its own alert. Values: ``waiting`` and ``silent`` services."""
        look = await self._look()
        detail = f"{counted(look.waiting, 'service')} of {len(look.rows)} could be brought to a new image"
        if look.silent:
            detail += f"; of {look.silent} the registry cannot be asked"
        values = {"waiting": float(look.waiting), "silent": float(look.silent)}
        return Measurement(breached=False, values=values, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Never an action; a row for each service."""
        look = await self._look()
        return Plan(rows=look.rows, notes=look.notes)

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False

    async def _look(self) -> Look:
        now = self._clock()
        if self._last is not None and 0 <= now - self._last.at <= SAME_LOOK:
            return self._last
        self._last = await self._ask(now)
        return self._last

    async def _ask(self, now: float) -> Look:
        try:
            targets = await self._estate.targets()
        except DockerUnavailable as error:
            return Look(now, [], [f"No services are known: {error}."], 0, 0)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(target: str) -> tuple[ImageNews, ImageRow] | None:
            async with turns:
                return await self._one(target, now)

        found = [each for each in await asyncio.gather(*map(one, targets)) if each is not None]
        news, rows = [each for each, _ in found], [row for _, row in found]
        notes = [f"{each.target}: {each.error}." for each in news if each.error]
        if self._state_dir is not None:
            state_dir = self._state_dir

            def note(_: object) -> None:
                write_news(state_dir, after(read_news(state_dir), news, now))

            await in_thread(note)
        waiting = sum(bool(each.digest) for each in news)
        return Look(now, rows, notes, waiting, sum(bool(each.error) for each in news))

    async def _one(self, target: str, now: float) -> tuple[ImageNews, ImageRow] | None:
        """None for one whose container is gone by now."""
        try:
            looked = await self._looker.look(target)
        except UpkeeperError as error:
            if not any(target == each for each in await self._estate.targets()):
                return None
            return (
                ImageNews(target=target, error=str(error)),
                ImageRow(service=target, image="", verdict="unknown", reason=str(error)),
            )
        return self._told(target, looked, now)

    def _told(self, target: str, looked: Looked, now: float) -> tuple[ImageNews, ImageRow]:
        candidate = looked.candidate
        if looked.left_out:
            return ImageNews(target=target, asked=False), row_of(target, looked, None, looked.left_out, "")
        verdict = None
        if candidate is not None and not looked.current:
            verdict = judge(candidate, self._settings.min_age, now)
        news = ImageNews(
            target=target,
            checked=now,
            created=timestamp(looked.running_created),
            digest=candidate.remote.digest if candidate is not None and verdict is not None else "",
            crosses=verdict is not None and bool(verdict.major),
            versions=len(looked.newer),
            majors=len(looked.newer_major),
        )
        return news, row_of(target, looked, verdict, "" if verdict is None else verdict.hold, "")
