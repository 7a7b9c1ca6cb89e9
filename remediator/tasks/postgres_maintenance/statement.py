"""One statement of maintenance, with an eye on who waits for it."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from exporter.postgres.session import QueryRefused, Session
from remediator.progress import tell
from remediator.tasks.postgres_maintenance.blockers import BESIDE, Beside, Blocker

if TYPE_CHECKING:
    from psycopg import sql

log = structlog.get_logger(__name__)

_OURS = "autovacuum worker"
"""What waits for a lock without making an application wait."""
_SLOWEST_LOOK = 1.0
_PROGRESS_SECONDS = 30.0

PROGRESS = """
SELECT phase, heap_blks_scanned::float8 / nullif(heap_blks_total, 0) FROM pg_stat_progress_vacuum WHERE pid = %s
UNION ALL
SELECT phase, coalesce(blocks_done::float8 / nullif(blocks_total, 0), tuples_done::float8 / nullif(tuples_total, 0))
FROM pg_stat_progress_create_index WHERE pid = %s
"""


@dataclass
class Course:
    """What came of a statement."""

    remarks: list[str] = field(default_factory=list)
    refused: QueryRefused | None = None
    gave_way: Blocker | None = None
    """Who waited for it, so that it was ended."""
    waited_for: Blocker | None = None
    """Whom it waited for last."""


async def carry_out(worker: Session, watcher: Session, statement: "sql.Composed", *, patience: float) -> Course:
    """Has the worker do a statement, which is ended as soon as somebody is seen to wait for it.

    Raises PostgresUnavailable.

    patience: seconds that others may wait; looked for four times as often. Where nobody can look, nothing is done.
    Cancelled, the server ends the statement first.
    """
    course = Course()
    task = asyncio.ensure_future(worker.do(statement))
    every, shown = min(patience / 4, _SLOWEST_LOOK), 0.0
    try:
        while True:
            await asyncio.wait([task], timeout=every)
            if task.done():
                break
            beside = [Beside(*row) for row in await watcher.rows(BESIDE, worker.pid, worker.pid, worker.pid)]
            waiting = [one for one in beside if one.waits and one.kind != _OURS]
            course.waited_for = next((one.blocker for one in beside if not one.waits), course.waited_for)
            if waiting:
                course.gave_way = waiting[0].blocker
                await worker.cancel()
                await asyncio.wait([task])
                break
            shown += every
            if shown >= _PROGRESS_SECONDS:
                shown = 0.0
                await _show_progress(worker, watcher)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    try:
        course.remarks = task.result()
    except QueryRefused as error:
        course.refused = error
    else:
        course.gave_way = None  # it was done before it heard of it
    return course


async def _show_progress(worker: Session, watcher: Session) -> None:
    for phase, share in await watcher.rows(PROGRESS, worker.pid, worker.pid):
        log.info("postgres maintenance under way", database=worker.dbname, phase=phase,
                 done=None if share is None else round(share, 3))  # fmt: skip
        if share is not None:
            tell(int(share * 100), 100, "percent", phase)
