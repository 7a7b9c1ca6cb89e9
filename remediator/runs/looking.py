"""Runs of tasks that only look: measured and planned in this process, without the durable engine.

Nothing is applied, so there is nothing to be repeated: one that was interrupted is begun anew. The engine takes memory
and asks the database all the time while it is up, and a health check comes every five minutes.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from remediator.runs.steps import Runner

log = structlog.get_logger(__name__)

AT_ONCE = 4
"""Looks at the same time."""


class Looking:
    """Does such runs in the background. on_lost: called when one broke off because that could not be stored."""

    def __init__(self, runner: Runner, on_lost: Callable[[], None]) -> None:
        self._runner = runner
        self._on_lost = on_lost
        self._places = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[int, asyncio.Task[None]] = {}

    def start(self, run_ids: Iterable[int]) -> None:
        """Begins runs, or lets them wait for a place. Doing so a second time changes nothing."""
        for run_id in run_ids:
            if run_id not in self._under_way:
                task = asyncio.create_task(self._look(run_id), name=f"look {run_id}")
                self._under_way[run_id] = task
                task.add_done_callback(lambda _, run_id=run_id: self._under_way.pop(run_id, None))  # type: ignore[misc]

    async def _look(self, run_id: int) -> None:
        async with self._places:
            try:
                if await self._runner.measure(run_id) == "stop":
                    return
                if await self._runner.plan(run_id):
                    await self._runner.abandon(run_id, "its task only looks, and yet planned something to do")
            except Exception:
                # As on a full disk: it is in the record as it was, and is begun anew.
                log.exception("a look could not be stored", run=run_id)
                self._on_lost()

    async def stop(self) -> None:
        """Drops what is under way, unrecorded; the next start begins it anew."""
        under_way = list(self._under_way.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
