"""Keeps evidence with a run that an alert asked for: what will be gone later, as it was when the run began."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from remediator.evidence.gather import gather
from remediator.evidence.processes import top_processes
from remediator.model.errors import NoRoom
from remediator.model.evidence import GivesEvidence, Source
from remediator.model.run import Run
from remediator.model.task import Task
from remediator.store import alerts, evidence
from remediator.store.database import Database

log = structlog.get_logger(__name__)

MOST_ALERTS = 50


class EvidenceKeeper:
    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def kept(self, run: Run, task: Task | None) -> AsyncIterator[None]:
        """Gathers and stores it beside what is done within, where an alert asked for the run. Raises nothing itself."""
        if run.trigger != "alert":
            yield
            return
        keeping = asyncio.create_task(self._keep(run, task), name=f"evidence of run {run.id}")
        try:
            yield
            await keeping
        except Exception:
            await keeping  # of a run that fails, it is wanted most
            raise
        finally:
            keeping.cancel()

    async def _keep(self, run: Run, task: Task | None) -> None:
        """Unless that was done before a crash."""
        try:
            if await self._database.read(partial(evidence.has, run_id=run.id)):
                return
            sections = await gather(self._sources(run, task))
            await self._database.write(partial(evidence.keep, run_id=run.id, sections=sections, now=self._clock()))
        except NoRoom as full:
            log.debug("evidence not kept", run=run.id, error=str(full))  # the database has already warned of it
        except (SQLAlchemyError, OSError, ValueError):
            log.exception("evidence not kept", run=run.id)

    def _sources(self, run: Run, task: Task | None) -> Sequence[Source]:
        own = task.evidence(run.target) if isinstance(task, GivesEvidence) else ()
        return [
            *own,
            Source("processes", top_processes),
            Source("alerts firing beside it", partial(self._alerts, run)),
        ]

    async def _alerts(self, run: Run) -> list[str]:
        found = await self._database.read(
            partial(alerts.firing_beside, alert_id=run.alert_id, limit=MOST_ALERTS, host=self._database.shared_as)
        )
        return [_series(labels) for labels in found] or ["none"]


def _series(labels: dict[str, str]) -> str:
    rest = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()) if name != "alertname")
    return f"{labels.get('alertname', '')}{{{rest}}}"
