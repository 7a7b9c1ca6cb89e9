"""The remediator without its web server: what can be read of it and asked of it.

The API is a thin layer on this; without a running remediator the command line uses it directly, on the same state.
"""

import asyncio
import difflib
import os
import pwd
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry
from pydantic import JsonValue, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from exporter import __version__
from remediator.config.remedies import Remedy
from remediator.control.breakers import OpenBreaker, open_breakers
from remediator.control.settings import Settings
from remediator.decide.decider import Decider
from remediator.decide.remedies import Remedies
from remediator.guards.guard import Case, Sources, Subject
from remediator.guards.in_flight import block_by
from remediator.guards.judge import Judge
from remediator.metrics import Metrics
from remediator.model.caller import COMMAND, Caller
from remediator.model.errors import NoRoom, not_found, refused, unavailable, unprocessable
from remediator.model.hold import Pause
from remediator.model.run import Request
from remediator.model.shapes import (
    AlertView,
    BreakerView,
    DecisionView,
    Page,
    PauseView,
    PlanView,
    RemedyView,
    RunView,
    StatusView,
    TaskView,
    TrackView,
)
from remediator.model.task import Plan, Task, TaskError
from remediator.runs.steps import LOOK_TIMEOUT, Runner
from remediator.statedir import StateDir
from remediator.store import holds, retention, runs
from remediator.store import pages as views
from remediator.store.database import Database
from remediator.store.room import ROOM_INTERVAL, explained
from remediator.webhook.inbox import Inbox

if TYPE_CHECKING:
    from remediator.engine import Engine

log = structlog.get_logger(__name__)

PAGE = 50
RETENTION_INTERVAL = 3600.0
NO_PARAMS: Mapping[str, JsonValue] = {}
NO_TRACK: TrackView = {"runs": 0, "effective": 0, "plans": 0, "would_act": 0}


class Core:
    """What can be read of a remediator and asked of it. Shapes: remediator.model.shapes.

    Methods raise RequestError; a database that fails raises sqlalchemy.exc.SQLAlchemyError. on_room: as the Database's.
    caller: who asks for runs and holds.
    """

    def __init__(
        self,
        state: StateDir,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        caller: Caller = COMMAND,
        on_room: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.state = state
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self._settings = settings
        self._clock = clock
        self._caller = caller
        self._database = Database(state.database, on_room)
        self._unqueued = False
        """Whether a stored run could not be handed to the engine for want of room."""
        self._judge = Judge(Sources(self._database))
        self.decider = Decider(
            self._database, self._judge, self._tasks, self._remedies, self._submit, self.metrics, clock
        )
        wake = self.decider.wake
        self._runner = Runner(self._database, self._judge, self._tasks, self._remedies, self.metrics, clock, wake)
        self._engine: Engine | None = None
        self.inbox = Inbox(self._database, clock, self.decider.wake)

    def _tasks(self) -> Mapping[str, Task]:
        return self._settings.tasks

    def _remedies(self) -> Remedies:
        return self._settings.remedies

    def apply_settings(self, settings: Settings) -> None:
        """Takes a new config into use. Runs under way go on with what they started with, step by step."""
        self._settings = settings
        self.decider.look_at_all()

    async def open(self) -> None:
        """Opens the record, bringing its tables up to date. Raises NoRoom, and SQLAlchemyError."""
        await self._database.migrate()

    async def start_engine(self) -> None:
        """Makes the engine, and goes on with what an earlier process left unfinished.

        Raises NoRoom, and then may be called again.
        """
        from remediator.engine import Engine

        if self._engine is None:
            await self._database.migrate()  # again, as it may be open only to read
            await self._database.require_room()
            workers = self._settings.config.remediator.workers
            host = self._database.host
            self._engine = Engine(self._database.url, self._runner, executor_id=host, workers=workers)
        await self._resume()

    async def _resume(self) -> None:
        assert self._engine is not None
        with explained(self.state.root):
            await self._engine.resume(await self._database.read(partial(runs.unfinished, host=self._database.host)))
        self._unqueued = False

    async def _submit(self, run_id: int) -> None:
        assert self._engine is not None, "runs are queued only where there is an engine"
        try:
            with explained(self.state.root):
                await self._engine.submit(run_id)
        except NoRoom:
            self._unqueued = True
            raise

    async def queue_again(self) -> None:
        """Hands the engine, as soon as there is room, the runs that it could not take or go on with for want of it.

        Ends by cancellation.
        """
        while True:
            await asyncio.sleep(ROOM_INTERVAL)
            if self._unqueued or (self._engine is not None and self._engine.lost):
                with _to_be_tried_again("runs could not be gone on with"):
                    await self._resume()

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.stop()
        await self._database.close()

    async def alerts(self, *, limit: int = PAGE, before: int | None = None) -> Page[AlertView]:
        return await self._database.read(partial(views.list_alerts, limit=limit, before=before))

    async def decisions(self, *, limit: int = PAGE, before: int | None = None) -> Page[DecisionView]:
        return await self._database.read(partial(views.list_decisions, limit=limit, before=before))

    async def runs(self, *, limit: int = PAGE, before: int | None = None) -> Page[RunView]:
        return await self._database.read(partial(views.list_runs, limit=limit, before=before))

    async def run(self, run_id: int) -> RunView:
        try:
            return await self._database.read(partial(views.one_run, run_id=run_id))
        except LookupError as error:
            raise not_found(str(error)) from error

    async def remedies(self) -> Page[RemedyView]:
        """The configured remedies in their order, each with its track."""
        tracks = await self._database.read(views.tracks)
        breakers = await self._breakers()
        items = [_remedy(remedy, tracks.get(remedy.name, NO_TRACK), breakers) for remedy in self._remedies().remedies]
        return {"items": items, "next": None}

    async def tasks(self) -> Page[TaskView]:
        items: list[TaskView] = [
            {
                "name": task.facts.name,
                "summary": task.facts.summary,
                "never": list(task.facts.never),
                "disruption": task.facts.disruption,
                "targets": await _targets_or_none(task),
            }
            for task in self._tasks().values()
        ]
        return {"items": items, "next": None}

    async def plan(self, task: str, target: str, params: Mapping[str, JsonValue] = NO_PARAMS) -> PlanView:
        """What a task would do now, and which guards would block it. Changes nothing and records nothing."""
        found = await self._select(task, target)
        _require_known(found, params)
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                measurement = await found.measure(target)
                plan = await found.plan(target)
        except TaskError as error:
            raise unavailable(str(error)) from error
        except TimeoutError as error:
            raise unavailable(f"planning {task} took too long and was given up") from error
        judgement = await self._judge.judge(self._case(task, target, plan=plan))
        return {
            "task": task,
            "target": target,
            "measurement": measurement.model_dump(mode="json"),  # type: ignore[typeddict-item]
            "plan": plan.model_dump(mode="json"),  # type: ignore[typeddict-item]
            "guards": [{"guard": block.guard, "reason": block.reason} for block in judgement.blocks],
        }

    async def start_run(
        self, task: str, target: str, dry_run: bool, params: Mapping[str, JsonValue] = NO_PARAMS
    ) -> RunView:
        """Queues a run, through the same guards as one that an alert asks for."""
        _require_known(await self._select(task, target), params)
        case = self._case(task, target, dry_run=dry_run)
        judgement = await self._judge.judge(case)
        block = judgement.first
        if block is None:
            request = Request(
                host=self._database.host,
                task=task,
                target=target,
                caller=self._caller,
                dry_run=dry_run,
                params=params,
            )
            run_id, new = await self._database.write(
                partial(runs.create_unless_in_flight, request=request, now=case.now)
            )
            block = None if new else block_by(run_id)
        if block is not None:
            raise refused(block.guard, block.reason)
        await self._submit(run_id)
        return await self.run(run_id)

    async def status(self) -> StatusView:
        now = self._clock()
        unfinished = await self._database.read(partial(views.unfinished_runs, host=self._database.host))
        last, watchdog = await self._database.read(views.last_alerts)
        return {
            "version": __version__,
            "paused": await self._paused(now),
            "queue_depth": len(unfinished),
            "running": [run for run in unfinished if run["state"] != "queued"],
            "open_breakers": await self._open_breakers(),
            "last_alert_at": None if last is None else views.timestamp(last),
            "watchdog_at": None if watchdog is None else views.timestamp(watchdog),
            "counts": await self._database.read(views.counts),
        }

    async def pause(self, task: str | None, reason: str, seconds: float | None) -> list[PauseView]:
        """Holds back a task, or everything, for so many seconds or until resumed. The pauses in force."""
        if task is not None:
            self._known_task(task)
        now = self._clock()
        hold = Pause(task, reason, now, None if seconds is None else now + seconds, self._caller)
        await self._database.write(partial(holds.pause, host=self._database.host, hold=hold))
        log.info("paused", task=task, reason=reason, seconds=seconds)
        return await self._paused(now)

    async def resume(self, task: str | None) -> list[PauseView]:
        """Ends the pause of a task, or the one of everything. The pauses still in force."""
        if not await self._database.write(partial(holds.resume, host=self._database.host, task=task)):
            raise not_found(f"task {task} is not paused" if task else "nothing is paused as a whole")
        self.decider.look_at_all()
        log.info("resumed", task=task)
        return await self._paused(self._clock())

    async def close_breaker(self, task: str, target: str) -> list[BreakerView]:
        """Closes a breaker by hand. The breakers still open."""
        if not any(one["task"] == task and one["target"] == target for one in await self._open_breakers()):
            raise not_found(f"no breaker is open for {task} on {target}")
        by_hand = partial(holds.close_breaker, task=task, target=target, caller=self._caller, now=self._clock())
        await self._database.write(partial(by_hand, host=self._database.host))
        self.decider.look_at_all()
        log.info("breaker closed by hand", task=task, target=target)
        return await self._open_breakers()

    async def refresh_metrics(self) -> None:
        """Brings the gauges of queue, breakers and pauses up to date."""
        pauses = await self._pauses(self._clock())
        breakers = await self._open_breakers()
        self.metrics.queue_depth.set(len(await self._database.read(partial(runs.unfinished, host=self._database.host))))
        self.metrics.holds([(one["task"], one["target"]) for one in breakers], [hold.task for hold in pauses])

    async def housekeeping(self) -> None:
        """Deletes what is older than the retention, now and every hour. Ends by cancellation."""
        while True:
            with _to_be_tried_again("old runs could not be deleted"):
                await self.purge()
            await asyncio.sleep(RETENTION_INTERVAL)

    async def purge(self) -> None:
        """Deletes what is older than the retention, from the record and from the engine."""
        horizon = self._clock() - self._settings.config.remediator.retention
        removed = await self._database.write(partial(retention.purge, host=self._database.host, before=horizon))
        if removed and self._engine is not None:
            await self._engine.forget(removed)
            log.info("old runs deleted", count=len(removed))

    def _case(self, task: str, target: str, *, plan: Plan | None = None, dry_run: bool = False) -> Case:
        """What the guards are asked about a run that a person asks for."""
        subject = Subject(self._database.host, task, target)
        return Case(subject, self._remedies().settings(task, target), self._clock(), plan, dry_run)

    async def _breakers(self) -> Sequence[OpenBreaker]:
        return await open_breakers(self._database, self._judge, self._remedies(), self._clock())

    async def _open_breakers(self) -> list[BreakerView]:
        return [
            {"task": one.task, "target": one.target, "since": views.timestamp(one.since)}
            for one in await self._breakers()
        ]

    async def _pauses(self, now: float) -> Sequence[Pause]:
        return await self._database.read(partial(holds.active_pauses, host=self._database.host, now=now))

    async def _paused(self, now: float) -> list[PauseView]:
        return [_pause(self._database.host, hold) for hold in await self._pauses(now)]

    async def _select(self, task: str, target: str) -> Task:
        found = self._known_task(task)
        try:
            targets = await found.targets()
        except TaskError as error:
            raise unavailable(str(error)) from error
        if target not in targets:
            known = ", ".join(sorted(targets)) or "none; add one to the config"
            raise not_found(f"{task} has no target {target!r}; its targets: {known}")
        return found

    def _known_task(self, name: str) -> Task:
        tasks = self._tasks()
        if name in tasks:
            return tasks[name]
        near = difflib.get_close_matches(name, tasks, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known tasks: {', '.join(sorted(tasks))}"
        raise not_found(f"there is no task {name!r}; {hint}")


def _remedy(remedy: Remedy, track: TrackView, breakers: Sequence[OpenBreaker]) -> RemedyView:
    view = remedy.model_dump(mode="python")
    open_on = [one.target for one in breakers if remedy.name in one.remedies]
    return {**view, "track": track, "open_breakers": open_on}  # type: ignore[typeddict-item]


def _pause(host: str, hold: Pause) -> PauseView:
    return {
        "host": host,
        "task": hold.task,
        "caller": {"trigger": hold.caller.trigger, "name": hold.caller.name},
        "reason": hold.reason,
        "since": views.timestamp(hold.since),
        "until": None if hold.until is None else views.timestamp(hold.until),
    }


def _require_known(task: Task, params: Mapping[str, JsonValue]) -> None:
    """Raises RequestError unless the task takes these parameters."""
    try:
        task.parameters.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] != "extra_forbidden":
            raise unprocessable(f"parameter {name} of {task.facts.name}: {first['msg']}") from error
        known = ", ".join(task.parameters.model_fields) or "none"
        raise unprocessable(f"{task.facts.name} has no parameter {name}; its parameters: {known}") from error


def _operator() -> str:
    """The name of the user that this process runs as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # containers run as users that no file names
        return str(os.getuid())


async def _targets_or_none(task: Task) -> list[str]:
    with suppress(TaskError):
        return sorted(await task.targets())
    return []


@contextmanager
def _to_be_tried_again(failed: str) -> Iterator[None]:
    """Logs what kept the record from being written, in work that comes round again, and goes on."""
    try:
        yield
    except NoRoom as error:
        log.debug(failed, error=str(error))  # the record's own watch of its room has warned of it
    except (SQLAlchemyError, OSError):
        log.exception(failed)


@contextmanager
def locked(state: StateDir) -> Iterator[None]:
    """Keeps a second engine from the same state meanwhile. Raises ClientError when another one is at work."""
    descriptor = state.hold()
    try:
        yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def open_core(config_path: Path | None, state_dir: Path | None, *, engine: bool) -> AsyncIterator[Core]:
    """A Core on a state directory, made if it is missing, for a command that works without a remediator.

    engine: whether it can run tasks; then it holds the state's lock. Raises ClientError when another one holds it,
    ConfigError and OSError.
    """
    state = StateDir.find(state_dir, os.environ)
    state.ensure()
    settings = Settings.load(config_path, state)
    core = Core(state, settings, caller=Caller("cli", _operator()))
    with locked(state) if engine else nullcontext():
        try:
            await core.open()
            if engine:
                await core.start_engine()
            yield core
        finally:
            await core.close()
            settings.close()
