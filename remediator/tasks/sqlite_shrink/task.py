"""sqlite-shrink: containers stand still, the database is copied smaller and exchanged, and they run again."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from exporter.base.errors import UpkeeperError
from exporter.base.units import format_bytes
from exporter.docker.engine import DockerEngine
from exporter.inventory.sqlite import SqliteDatabase
from exporter.sqlite.header import Header, NoDatabase, read_header
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.backup.holds import Containers
from remediator.tasks.resources import Resources
from remediator.tasks.restore_in_place.users import users
from remediator.tasks.sqlite_shrink.facts import SQLITE_SHRINK
from remediator.tasks.sqlite_shrink.shrink import discard_draft, require_shrinkable, shrink
from remediator.tasks.worker import in_thread

SHRINK = "shrink"
_HOURS = 6 * 3600.0


class Shrinking(Parameters):
    """Parameters."""

    below_limit: bool = False
    """Also where less than max_reclaimable_bytes would be given back."""


class SqliteShrink:
    """state_dir: where it is noted which containers were stopped; None: nothing is done."""

    facts = SQLITE_SHRINK
    parameters = Shrinking
    action_timeout = _HOURS

    def __init__(
        self, databases: Sequence[SqliteDatabase], engine: Callable[[], DockerEngine], state_dir: Path | None
    ) -> None:
        self._databases = {each.name: each for each in databases}
        self._engine, self._state_dir = engine, state_dir

    async def targets(self) -> Sequence[str]:
        return list(self._databases)

    async def measure(self, target: str) -> Measurement:
        """Values: ``size_bytes``, and ``reclaimable_bytes`` of these with their limit."""
        database = self._one(target)
        header, limit = await _header(database), int(database.max_reclaimable_bytes)
        spare = header.reclaimable_bytes
        return Measurement(
            breached=spare > limit,
            values={"size_bytes": header.bytes, "reclaimable_bytes": spare, "max_reclaimable_bytes": limit},
            detail=f"{format_bytes(spare)} of {format_bytes(header.bytes)} hold nothing",
        )

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        asked, database = Shrinking.model_validate(dict(params)), self._one(target)
        self._require_state()
        header, limit = await _header(database), int(database.max_reclaimable_bytes)
        spare = header.reclaimable_bytes
        if not spare or (spare <= limit and not asked.below_limit):
            return Plan(
                notes=[
                    f"{format_bytes(spare)} hold nothing, which is not worth an interruption (max_reclaimable_bytes)."
                ]
            )
        await in_thread(lambda _: _look(database))
        stops = await self._stops(database)
        stopped = f"stops {', '.join(stops)}; " if stops else ""
        again = "; starts them again" if stops else ""
        copy = f"copies {format_bytes(header.bytes - spare)} and exchanges the file"
        action = Action(
            kind=SHRINK,
            object=target,
            reason=f"{stopped}{copy}{again}",
            estimated_bytes=spare,
            params={
                "stops": list[JsonValue](stops),
                "inode": await in_thread(lambda _: Path(database.path).stat().st_ino),
            },
            identity="\n".join([target, *stops]),
        )
        notes = [] if stops else ["No container is stopped: what uses the database must be stopped before."]
        return Plan(actions=[action], notes=notes)

    async def apply(self, target: str, action: Action) -> Effect:
        if action.kind != SHRINK:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        database, containers = self._one(target), self._containers(target)
        path = Path(database.path)
        is_new = await _inode(database) != action.params["inode"]
        if is_new or not (await _header(database)).reclaimable_bytes:
            await self._clear(database, containers)
            return Effect(state="skipped", detail="it is as small as it can be" if not is_new else "it was exchanged")
        stops = await self._stops(database)
        planned = cast(list[str], action.params["stops"])
        noted = {each.name for each in await containers.noted()}  # by this run, before it was interrupted
        if not set(stops) <= {*planned, *noted}:
            raise TaskError(f"{', '.join(sorted({*stops} - {*planned}))} uses it since it was planned; plan again")
        try:
            async with containers.still(sorted({*stops, *noted}), []):
                done = await in_thread(partial(shrink, path))
        except sqlite3.Error as error:
            raise TaskError(f"SQLite cannot copy {path}: {error}") from error
        except OSError as error:
            if isinstance(error, UpkeeperError):
                raise
            raise TaskError(f"cannot shrink {path}: {error.strerror or error}") from error
        started = f"; started {', '.join(stops)}" if stops else ""
        return Effect(
            state="done",
            detail=f"{format_bytes(done.before)} -> {format_bytes(done.after)}{started}",
            freed_bytes=max(0, done.before - done.after),
        )

    async def clear_up(self, target: str, actions: Sequence[Action]) -> str:
        """Starts what was stopped, and removes a copy that was not finished."""
        if self._state_dir is None:
            return ""
        return await self._clear(self._one(target), self._containers(target))

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return after.values["size_bytes"] < before.values["size_bytes"]

    async def _clear(self, database: SqliteDatabase, containers: Containers) -> str:
        removed = await in_thread(lambda _: discard_draft(Path(database.path)))
        started = await containers.release()
        said = ["removed an unfinished copy"] if removed else []
        return "; ".join([*said, f"started {', '.join(started)}"] if started else said)

    async def _stops(self, database: SqliteDatabase) -> list[str]:
        """Containers that stand still meanwhile. Where there is no engine, none has the file mounted."""
        if database.stop:
            return sorted(database.stop)
        engine = self._engine()
        if engine.socket is not None and not await in_thread(lambda _: os.path.lexists(str(engine.socket))):
            return []
        return await users(engine, [Path(database.path)])

    def _containers(self, target: str) -> Containers:
        note = self._require_state() / "stopped-for-sqlite" / f"{target}.json"
        return Containers(self._engine(), note, "sqlite:")

    def _require_state(self) -> Path:
        if self._state_dir is None:
            raise TaskError("without a state directory nothing is stopped: an interruption would be forgotten")
        return self._state_dir

    def _one(self, target: str) -> SqliteDatabase:
        database = self._databases.get(target)
        if database is None:
            raise TaskError(f"no database in sqlite: has the name {target}")
        return database


def _look(database: SqliteDatabase) -> None:
    try:
        require_shrinkable(Path(database.path))
    except OSError as error:
        if isinstance(error, UpkeeperError):
            raise
        raise TaskError(f"{database.path}: {error.strerror}") from error


async def _inode(database: SqliteDatabase) -> int:
    try:
        return (await in_thread(lambda _: Path(database.path).stat())).st_ino
    except OSError as error:
        raise TaskError(f"{database.path}: {error.strerror}") from error


async def _header(database: SqliteDatabase) -> Header:
    try:
        return await in_thread(lambda _: read_header(database.path))
    except (OSError, NoDatabase) as error:
        raise TaskError(f"{database.path}: {getattr(error, 'strerror', None) or error}") from error


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [SqliteShrink(config.sqlite, lambda: resources.docker, resources.state_dir)]
