"""Where signs come from: the record, what registries last had, the host's load."""

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from exporter.base.errors import UpkeeperError
from remediator.config.config import Config
from remediator.config.shipped import default_remedies
from remediator.decide.remedies import Remedies
from remediator.images.news import read_news
from remediator.store import figures
from remediator.tasks.capacity_planning.facts import CAPACITY_PLANNING
from remediator.tasks.performance import signs
from remediator.tasks.performance.rows import AdviceRow
from remediator.tasks.performance.signs import Targets
from remediator.tasks.resources import Resources
from remediator.tasks.worker import in_thread

Found = tuple[Sequence[AdviceRow], Sequence[str]]
"""What is worth doing, and what could not be looked at."""


class Known:
    """clock: Unix seconds."""

    def __init__(self, config: Config, resources: Resources, clock: Callable[[], float] = time.time) -> None:
        self._config, self._resources, self._clock = config, resources, clock
        self._remedies = Remedies(default_remedies() if config.remedies is None else config.remedies)
        self._targets = targets(config)

    async def __call__(self) -> Found:
        rows: list[AdviceRow] = []
        notes: list[str] = []
        sources: Sequence[tuple[str, Callable[[], Awaitable[Sequence[AdviceRow]]]]] = (
            ("alerts", self._alerts),
            ("forecasts", self._forecasts),
            ("images", self._images),
            ("the load", self._load),
        )
        for name, ask in sources:
            try:
                rows += await ask()
            except (UpkeeperError, SQLAlchemyError, OSError, TimeoutError) as error:
                notes.append(f"Left out: {name}: {str(error) or 'no answer'}.")
        return rows, notes

    async def _alerts(self) -> Sequence[AdviceRow]:
        record = self._resources.record
        firing = await record.read(partial(figures.firing_here, host=record.host))
        return list(signs.of_alerts(firing, self._remedies, self._targets))

    async def _forecasts(self) -> Sequence[AdviceRow]:
        record = self._resources.record
        rows = await record.read(partial(figures.last_rows, host=record.host, tasks=[CAPACITY_PLANNING.name]))
        _, foretold = rows.get(CAPACITY_PLANNING.name, (0.0, ()))
        within = self._config.forecasts.warn_within
        return list(signs.of_forecasts(foretold, self._clock(), within, self._targets))

    async def _images(self) -> Sequence[AdviceRow]:
        state_dir = self._resources.state_dir
        if state_dir is None:
            return []
        news = await in_thread(lambda _: read_news(state_dir))
        services = news.services if news is not None else ()
        return list(signs.of_images((one.target, one.since) for one in services if one.digest and not one.crosses))

    async def _load(self) -> Sequence[AdviceRow]:
        most = self._config.host.max_load_per_cpu
        return list(signs.of_load(os.getloadavg()[2], os.cpu_count() or 0, most))


def targets(config: Config) -> Targets:
    """Of the tasks whose targets the config names."""
    made = [one.name for one in config.backups if one.make is not None]
    return {
        "log-rotation": [one.name for one in config.logs],
        "postgres-maintenance": [one.name for one in config.postgres],
        "neo4j-maintenance": [one.name for one in config.neo4j],
        "sqlite-shrink": [one.name for one in config.sqlite],
        "backup": made,
        "backup-retention": [one.name for one in config.backups],
        "backup-verification": [one.name for one in config.backups],
    }
