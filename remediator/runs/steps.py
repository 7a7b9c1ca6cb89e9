"""The steps of a run. Each reads what the steps before it stored, and may be done twice without harm.

Nothing here knows the durable engine: it calls these steps in order and repeats the one that a crash interrupted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal, TypeVar

import sqlalchemy as sa
import structlog

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.base.units import format_duration
from remediator.config.guards import GuardSettings
from remediator.decide.remedies import Remedies
from remediator.guards.concurrency import block_by, is_disruptive
from remediator.guards.guard import Case, Subject
from remediator.guards.judge import Judge
from remediator.metrics import Metrics
from remediator.model.hold import Block
from remediator.model.run import ActionResult, Run
from remediator.model.task import LOOK_TIMEOUT, Measurement, Plan, Task, TaskError
from remediator.runs import verify
from remediator.runs.verify import Conclusion
from remediator.store import alerts, runs, slots
from remediator.store.database import Database

log = structlog.get_logger(__name__)

T = TypeVar("T")

PLAN_MAX_AGE = 3600.0
"""Seconds after which the rest of a plan is no longer applied: too much may have changed."""

Next = Literal["go-on", "stop"]


class StepFailed(UpkeeperError):
    """A task could not measure, plan or act. The message is one sentence for the record."""


class Runner:
    """Does the steps of runs.

    tasks and remedies: read at each step, so that a reload of the config takes effect.
    on_finished: called when a run has ended, to wake whoever decides.
    """

    def __init__(
        self,
        database: Database,
        judge: Judge,
        tasks: Callable[[], Mapping[str, Task]],
        remedies: Callable[[], Remedies],
        metrics: Metrics,
        clock: Callable[[], float],
        on_finished: Callable[[], None],
    ) -> None:
        self._database = database
        self._judge = judge
        self._tasks = tasks
        self._remedies = remedies
        self._metrics = metrics
        self._clock = clock
        self._on_finished = on_finished

    async def measure(self, run_id: int) -> Next:
        """Measures the target before anything is done."""
        await self._write(partial(runs.begin, run_id=run_id, now=self._clock()))
        run = await self._read(run_id)
        try:
            before = await self._measure(run, "measuring")
        except StepFailed as failure:
            return await self._stop(run, Conclusion("failed", str(failure)))
        await self._write(partial(runs.measured, run_id=run_id, before=before, now=self._clock()))
        return "go-on"

    async def plan(self, run_id: int) -> int:
        """Plans, and judges by the guards whether the plan may be applied. The number of actions to apply; 0: stop."""
        run = await self._read(run_id)
        try:
            async with _explained("planning", run, LOOK_TIMEOUT):
                plan = await self._task(run).plan(run.target)
        except StepFailed as failure:
            await self._stop(run, Conclusion("failed", str(failure)))
            return 0
        now = self._clock()
        await self._write(partial(runs.planned, run_id=run_id, plan=plan, now=now))
        verdict = await self._may_apply(run, plan)
        if verdict is not None:
            await self._stop(run, verdict)
            return 0
        block = await self._begin_acting(run)
        if block is not None:
            await self._stop(run, Conclusion("blocked", f"{block.guard}: {block.reason}"))
            return 0
        return len(plan.actions)

    async def _begin_acting(self, run: Run) -> Block | None:
        """From here on the run acts, unless the slots that it needs are taken since the guards were asked."""
        disruptive = is_disruptive(self._tasks(), run.task)
        allowed = self._settings(run).concurrency.disruptive_per_host if disruptive else None
        return await self._write(partial(_begin_acting, run=run, allowed=allowed))

    async def _may_apply(self, run: Run, plan: Plan) -> Conclusion | None:
        assert run.before is not None
        if run.dry_run:
            count = len(plan.actions)
            return Conclusion("planned", f"dry run: {counted(count, 'action')} planned, nothing done")
        if not plan.actions:
            return verify.of_empty_plan(run.before, plan)
        settings = self._settings(run)
        subject = Subject.of(run.host, run.task, run.target, settings, run_id=run.id)
        judgement = await self._judge.judge(Case(subject, settings, self._clock(), plan, by_hand=run.caller.by_hand))
        block = judgement.first
        return Conclusion("blocked", f"{block.guard}: {block.reason}") if block is not None else None

    async def apply(self, run_id: int, position: int) -> None:
        """Does one action of the plan, unless the plan is too old by now."""
        run = await self._read(run_id)
        now = self._clock()
        if run.planned_at is not None and now - run.planned_at > PLAN_MAX_AGE:
            result = ActionResult("skipped", "the plan is too old")
        else:
            await self._write(partial(runs.action_started, run_id=run_id, position=position, now=now))
            result = await self._act(run, position)
        await self._write(
            partial(runs.action_finished, run_id=run_id, position=position, result=result, now=self._clock())
        )

    async def _act(self, run: Run, position: int) -> ActionResult:
        action = await self._database.read(partial(runs.action_of, run_id=run.id, position=position))
        try:
            task = self._task(run)
            async with _explained(f"{action.kind} {action.object}", run, task.action_timeout):
                effect = await task.apply(run.target, action)
        except UpkeeperError as failure:
            return ActionResult("failed", str(failure))
        self._metrics.reclaimed(run.task, effect.freed_bytes)
        if effect.state == "done":
            self._metrics.acted(run.task, run.target, self._clock())
        return ActionResult(effect.state, effect.detail, effect.freed_bytes)

    async def verify(self, run_id: int) -> None:
        """Measures again and closes the run with its outcome."""
        await self._write(partial(runs.set_state, run_id=run_id, state="verifying"))
        run = await self._read(run_id)
        states = await self._database.read(partial(runs.action_states, run_id=run_id))
        assert run.before is not None  # the step before stored it
        try:
            after = await self._measure(run, "measuring again")
        except StepFailed as failure:
            await self._stop(run, Conclusion("failed", str(failure)))
            return
        await self._write(partial(runs.verified, run_id=run_id, after=after, now=self._clock()))
        if run.planned_at is not None and self._clock() - run.planned_at > PLAN_MAX_AGE:
            reason = "it was interrupted for so long that the rest of its plan was dropped"
            await self._stop(run, Conclusion("expired", reason))
            return
        improved = self._task(run).improved(run.before, after)
        await self._stop(run, verify.of_actions(run.before, after, improved, states))

    async def _measure(self, run: Run, doing: str) -> Measurement:
        async with _explained(doing, run, LOOK_TIMEOUT):
            return await self._task(run).measure(run.target)

    async def unfinished(self) -> bool:
        """Whether any run is queued or under way."""
        return bool(await self._database.read(partial(runs.unfinished, host=self._database.host)))

    async def abandon(self, run_id: int, reason: str) -> None:
        """Closes a run that the engine has given up."""
        await self._stop(await self._read(run_id), Conclusion("failed", reason))

    async def _stop(self, run: Run, verdict: Conclusion) -> Next:
        now = self._clock()
        if await self._write(partial(_finish, run_id=run.id, verdict=verdict, now=now)):
            self._on_finished()
            seconds = now - (run.started_at or now)
            self._metrics.finished(run.task, verdict.outcome, run.trigger, seconds, now)
            log.info("run finished", run=run.id, task=run.task, target=run.target,
                     outcome=verdict.outcome, reason=verdict.reason, seconds=round(seconds, 3))  # fmt: skip
        return "stop"

    def _task(self, run: Run) -> Task:
        task = self._tasks().get(run.task)
        if task is None:
            raise TaskError(f"task {run.task} is no longer available")
        return task

    def _settings(self, run: Run) -> GuardSettings:
        """Those of the remedy that asked for the run, if it still exists."""
        remedies = self._remedies()
        return remedies.named(run.remedy) or remedies.settings(run.task, run.target)

    async def _read(self, run_id: int) -> Run:
        return await self._database.read(partial(runs.get, run_id=run_id))

    async def _write(self, work: Callable[[sa.Connection], T]) -> T:
        return await self._database.write(work)


def _begin_acting(connection: sa.Connection, run: Run, allowed: int | None) -> Block | None:
    if allowed is not None and not slots.take(connection, run.id, run.host, allowed):
        acting = [one for one in slots.rivals(connection, run.host) if one.acting]
        return block_by(acting, allowed)
    runs.set_state(connection, run.id, "applying")
    return None


def _finish(connection: sa.Connection, run_id: int, verdict: Conclusion, now: float) -> bool:
    """Closes a run, and marks the alerts that wait for its end to be looked at; False if it was closed already."""
    finished = runs.finish(connection, run_id, verdict.outcome, verdict.reason, now)
    if finished:
        alerts.due_after_run(connection, run_id, now)
    return finished


@asynccontextmanager
async def _explained(doing: str, run: Run, seconds: float) -> AsyncIterator[None]:
    """Gives the task this many seconds, and turns whatever it raises into one sentence for the record.

    Bugs are also logged with their traceback. Raises StepFailed.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except UpkeeperError as error:
        raise StepFailed(str(error)) from error
    except TimeoutError as error:
        raise StepFailed(f"{doing} took longer than {format_duration(seconds)} and was given up") from error
    except Exception as error:
        log.exception("task failed unexpectedly", run=run.id, task=run.task, target=run.target, doing=doing)
        raise StepFailed(f"{doing} failed unexpectedly: {type(error).__name__}: {error}") from error
