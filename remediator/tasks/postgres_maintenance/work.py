"""One action of postgres-maintenance. Its effect is judged by what the server counts, not by how a statement ended."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from exporter.base.text import counted
from exporter.postgres.session import Session
from remediator.model.task import Effect, TaskError
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_maintenance.blockers import LOCKERS, Blocker
from remediator.tasks.postgres_maintenance.choose import Wants
from remediator.tasks.postgres_maintenance.index_work import REBUILD_PATIENCE, IndexWork, short, why
from remediator.tasks.postgres_maintenance.indexes import choose_indexes
from remediator.tasks.postgres_maintenance.look import Look, holders, index_now, table_now
from remediator.tasks.postgres_maintenance.statement import Course, carry_out
from remediator.tasks.postgres_maintenance.tables import Table

if TYPE_CHECKING:
    from psycopg import sql

_COUNTS_AT_ONCE = 150000
"""The version number from which on what a statement did is counted when it ends; before, half a second later."""
_COUNTED_WITHIN = 1.5


@dataclass(frozen=True, slots=True)
class Worker:
    """Does actions on one server. clock: Unix seconds."""

    door: PostgresDoor
    look: Look
    clock: Callable[[], float] = time.time

    async def do(self, kind: str, params: Mapping[str, JsonValue]) -> Effect:
        """Does an action of a plan. Raises TaskError, PostgresUnavailable and QueryRefused."""
        policy = self.door.server.maintenance
        seconds = min(policy.statement_timeout, float(str(params["until"])) - self.clock())
        if seconds < 1:
            return Effect(state="skipped", detail=f"the run's time_budget of {short(policy.time_budget)} is used up")
        dbname, oid = str(params["database"]), int(str(params["oid"]))
        rebuild = kind == "reindex"
        lock_seconds = policy.lock_timeout * (REBUILD_PATIENCE if rebuild else 1)
        async with self.door.looking(dbname) as watcher:
            wants = await self.look.wants(watcher)
            if wants.facts.in_recovery:
                return Effect(state="skipped", detail="the server is a standby now")
            async with self.door.working(dbname, seconds=seconds, lock_seconds=lock_seconds) as worker:
                step = _Step(self, wants, worker, watcher, seconds)
                if kind in ("drop-index", "reindex"):
                    return await step.index(kind, oid, str(params["name"]))
                return await step.table(oid, params)


@dataclass(frozen=True, slots=True)
class _Step:
    by: Worker
    wants: Wants
    worker: Session
    watcher: Session
    seconds: float

    async def table(self, oid: int, params: Mapping[str, JsonValue]) -> Effect:
        before = await table_now(self.watcher, oid)
        if before is None or before.label != params["name"]:
            return Effect(state="skipped", detail="the table is gone or has another name")
        need = self.wants.of(self.worker.dbname, before, self.by.clock())
        vacuum = need is not None and need.vacuum and bool(params["vacuum"])
        freeze = vacuum and need is not None and need.freeze and bool(params["freeze"])
        analyze = need is not None and need.analyze and bool(params["analyze"])
        if not (vacuum or analyze):
            return Effect(state="skipped", detail="it does not need it any more")
        if not before.permitted:
            raise TaskError(f"the role may not maintain {before.label}")
        statement = vacuum_statement(before, vacuum=vacuum, freeze=freeze, analyze=analyze)
        course, after = await self._try(statement, before, vacuum=vacuum)
        if after is None:
            return Effect(state="skipped", detail="the table was dropped meanwhile")
        if isinstance(course, str):
            return Effect(state="skipped", detail=course)
        if not _was_counted(before, after, vacuum=vacuum):
            raise await self._not_done(course, before)
        return await self._judge(before, after, vacuum=vacuum, freeze=freeze)

    async def _try(
        self, statement: "sql.Composed", before: Table, *, vacuum: bool
    ) -> tuple[Course | str, Table | None]:
        """Tries as long as a lock may be waited for. The server passes over a table that is locked, without waiting:
        in its queue, autovacuum would give way to us.
        """
        loop = asyncio.get_running_loop()
        patience = self.wants.policy.lock_timeout
        end = loop.time() + patience
        while True:
            now = await table_now(self.watcher, before.oid)
            if now is None:
                return Course(), None
            if now.worked_on_by is not None:
                return f"process {now.worked_on_by} is vacuuming it already", now
            course = await carry_out(self.worker, self.watcher, statement, patience=patience)
            after = await self._counted(before, vacuum=vacuum)
            done = after is None or _was_counted(before, after, vacuum=vacuum)
            if done or course.refused or course.gave_way or loop.time() >= end:
                return course, after
            await asyncio.sleep(min(0.1, patience / 4))

    async def _counted(self, before: Table, *, vacuum: bool) -> Table | None:
        """The table after a statement, when what that did has been counted."""
        waits = 0.0 if self.worker.version_number >= _COUNTS_AT_ONCE else _COUNTED_WITHIN
        while True:
            after = await table_now(self.watcher, before.oid)
            if after is None or _was_counted(before, after, vacuum=vacuum) or waits <= 0:
                return after
            waits -= 0.1
            await asyncio.sleep(0.1)

    async def _not_done(self, course: Course, table: Table) -> TaskError:
        if course.gave_way is not None or course.refused is not None:
            return why(course, table.label, self.seconds)
        lockers = [Blocker(*row) for row in await self.watcher.rows(LOCKERS, table.oid, table.oid)]
        if lockers:
            return TaskError(f"{table.label} is locked by {lockers[0]}")
        return TaskError(f"the server did nothing about {table.label}: {'; '.join(course.remarks) or 'it was locked'}")

    async def _judge(self, before: Table, after: Table, *, vacuum: bool, freeze: bool) -> Effect:
        if not vacuum:
            return Effect(state="done", detail="analyzed")
        removed = max(0, before.dead - after.dead)
        told = [f"{counted(removed, 'dead row')} removed"]
        if freeze:
            told.append(f"its oldest row is {after.xid_age:,} transactions old, was {before.xid_age:,}")
        short = self.wants.has_dead(after) or (
            freeze and self.wants.freeze_age(after) >= self.wants.policy.freeze_age_ratio
        )
        if not short:
            return Effect(state="done", detail="; ".join(told))
        inway = await holders(self.watcher)
        by = f", which {inway[0]} may still see" if inway else ""
        kept = f"{counted(after.dead, 'dead row')} stay{'s' if after.dead == 1 else ''}{by}"
        if freeze and not after.dead:
            kept = f"older rows could not be frozen{f' because of {inway[0]}' if inway else ''}"
        gained = removed > 0 or (freeze and after.xid_age < before.xid_age)
        if not gained:
            raise TaskError(f"{before.label} was vacuumed in vain: {kept}")
        return Effect(state="partial", detail="; ".join([*told, kept]))

    async def index(self, kind: str, oid: int, name: str) -> Effect:
        before = await index_now(self.watcher, oid)
        if before is None or before.label != name:
            return Effect(state="skipped", detail="the index is gone or has another name")
        space = await self.by.look.space() if kind == "reindex" else None
        facts = self.wants.facts
        chosen, notes = choose_indexes(self.worker.dbname, [before], self.wants.policy, facts.block_bytes, space)
        if not chosen or chosen[0].kind != kind:
            return Effect(state="skipped", detail=notes[0] if notes else "it does not need it any more")
        by = self._rebuilder
        return await (by.drop(before) if kind == "drop-index" else by.rebuild(before))

    @property
    def _rebuilder(self) -> IndexWork:
        return IndexWork(self.worker, self.watcher, self.wants.policy.lock_timeout, self.seconds)


def vacuum_statement(table: Table, *, vacuum: bool, freeze: bool, analyze: bool) -> "sql.Composed":
    """One statement for one table. Without TRUNCATE, which would lock out everybody to shorten the file."""
    from psycopg import sql

    options = "SKIP_LOCKED"
    if vacuum:
        options += ", TRUNCATE false, PARALLEL 0" + (", FREEZE" if freeze else "") + (", ANALYZE" if analyze else "")
    verb = "VACUUM" if vacuum else "ANALYZE"
    return sql.SQL(f"{verb} ({options}) {{}}").format(sql.Identifier(table.schema, table.name))


def _was_counted(before: Table, after: Table, *, vacuum: bool) -> bool:
    return after.vacuums > before.vacuums if vacuum else after.analyzes > before.analyzes
