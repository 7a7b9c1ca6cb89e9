"""Rebuilding and dropping one index beside those who work with its table."""

from dataclasses import dataclass
from typing import LiteralString

from exporter.base.units import format_bytes, format_duration
from exporter.postgres.session import Session
from remediator.model.task import Effect, TaskError
from remediator.tasks.postgres_maintenance.indexes import Index, leftovers
from remediator.tasks.postgres_maintenance.look import index_now, indexes_of
from remediator.tasks.postgres_maintenance.statement import Course, carry_out

REBUILD_PATIENCE = 10
"""A rebuild waits so many times longer: for transactions that began before it, while it keeps nobody waiting."""

_CANCELED = "57014"
_NO_LOCK = "55P03"


@dataclass(frozen=True, slots=True)
class IndexWork:
    """Works on indexes of the database that both sessions are in. patience: seconds that others may wait for it.

    seconds: that a statement may take. Every method raises TaskError and PostgresUnavailable.
    """

    worker: Session
    watcher: Session
    patience: float
    seconds: float

    async def drop(self, index: Index) -> Effect:
        course = await self._carry_out("DROP INDEX CONCURRENTLY IF EXISTS {}", index)
        if await index_now(self.watcher, index.oid) is not None:
            gone = TaskError(f"{index.label} is still there")
            raise why(course, index.label, self.seconds) if course.refused else gone
        return Effect(state="done", detail="dropped", freed_bytes=index.bytes)

    async def rebuild(self, index: Index) -> Effect:
        """What a rebuild that fails leaves is dropped. The new index has another oid."""
        effect, _ = await self.renew(index)
        return effect

    async def renew(self, index: Index) -> tuple[Effect, Index]:
        """The effect of a rebuild, and the new index."""
        course = await self._carry_out("REINDEX INDEX CONCURRENTLY {}", index)
        now = await indexes_of(self.watcher, index.table_oid)
        again = next((one for one in now if (one.schema, one.name) == (index.schema, index.name)), None)
        stays = ""
        for left in leftovers(now):
            dropped = await self._carry_out("DROP INDEX CONCURRENTLY IF EXISTS {}", left) if left.owned else None
            if dropped is None or dropped.refused:
                stays = f"; {left.label} is left over and is dropped next time"
        if again is None or again.oid == index.oid or not again.valid:
            as_it_was = TaskError(f"{index.label} is as it was")
            raise TaskError(f"{why(course, index.label, self.seconds) if course.refused else as_it_was}{stays}")
        freed = max(0, index.bytes - again.bytes)
        effect = Effect(state="done", detail=f"rebuilt, {format_bytes(again.bytes)}{stays}", freed_bytes=freed)
        return effect, again

    async def _carry_out(self, words: LiteralString, index: Index) -> Course:
        from psycopg import sql

        statement = sql.SQL(words).format(sql.Identifier(index.schema, index.name))
        return await carry_out(self.worker, self.watcher, statement, patience=self.patience)


def why(course: Course, label: str, seconds: float) -> TaskError:
    """Why a statement on the object of this label was not done."""
    if course.gave_way is not None:
        return TaskError(f"{label}: given up, as {course.gave_way} waited for it")
    assert course.refused is not None
    if course.refused.sqlstate == _NO_LOCK:
        by = f": {course.waited_for}" if course.waited_for is not None else ""
        return TaskError(f"{label}: somebody was in the way for longer than lock_timeout{by}")
    if course.refused.sqlstate == _CANCELED:
        return TaskError(f"{label}: not done within {short(seconds)}")
    return TaskError(f"{label}: {course.refused}")


def short(seconds: float) -> str:
    """A duration in whole seconds, for people."""
    return format_duration(max(1, round(seconds)))
