"""The steps of a run. Each reads what the steps before it stored, and may be done twice without harm.

Nothing here knows the durable engine: it calls these steps in order and repeats the one that a crash interrupted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal, TypeVar

import sqlalchemy as sa
import structlog

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.base.units import format_duration
from remediator.decide.means import Means
from remediator.guards.budget import over_by_now
from remediator.guards.concurrency import block_by, is_disruptive
from remediator.guards.guard import Case
from remediator.metrics import Metrics
from remediator.model.approval import plan_hash
from remediator.model.artefact import Made
from remediator.model.hold import Block
from remediator.model.run import ActionResult, Run
from remediator.model.task import LOOK_TIMEOUT, ClearsUp, GoesTogether, Measurement, Plan, Task, TaskError
from remediator.model.taskfacts import PLAN_MAX_AGE
from remediator.progress import Underway
from remediator.runs import verify
from remediator.runs.cases import case_of
from remediator.runs.closing import Closing
from remediator.runs.evidence import EvidenceKeeper
from remediator.runs.verify import Conclusion
from remediator.store import approvals, artefacts, runs, slots

log = structlog.get_logger(__name__)

T = TypeVar("T")

Next = Literal["go-on", "stop"]

AT_ONCE = 4
"""Actions of a run that are done at the same time, where its task lets them go together."""


class StepFailed(UpkeeperError):
    """A task could not measure, plan or act. The message is one sentence for the record."""


class Runner:
    """Does the steps of runs.

    tasks and remedies: read at each step, so that a reload of the config takes effect.
    on_asked: called when a run waits for a person, whose time then runs.
    underway: is told how far each action has come.
    make_room: called, from another thread, with why an action failed; where it has made room on a full disk, the action
    is tried again.
    """

    def __init__(
        self,
        means: Means,
        metrics: Metrics,
        closing: Closing,
        on_asked: Callable[[], None],
        make_room: Callable[[BaseException], bool] = lambda _: False,
        underway: Underway | None = None,
    ) -> None:
        self._database = means.database
        self._judge = means.judge
        self._tasks = means.tasks
        self._remedies = means.remedies
        self._metrics = metrics
        self._clock = means.clock
        self._closing = closing
        self._on_asked = on_asked
        self._make_room = make_room
        self._underway = underway or Underway()
        self._evidence = EvidenceKeeper(means.database, means.clock)

    async def measure(self, run_id: int, attempt: int = 0) -> Next:
        """Measures the target before anything is done."""
        if not await self._write(partial(runs.begin, run_id=run_id, attempt=attempt, now=self._clock())):
            return "stop"
        run = await self._read(run_id)
        try:
            async with self._evidence.kept(run, self._tasks().get(run.task)):
                before = await self._measure(run, "measuring")
        except StepFailed as failure:
            return await self._stop(run, Conclusion("failed", str(failure)))
        await self._write(partial(runs.measured, run_id=run_id, before=before))
        return "go-on"

    async def plan(self, run_id: int, attempt: int = 0) -> int:
        """Plans, and judges by the guards whether the plan may be applied. The number of actions to apply; 0: stop.

        Where only a person's approval is missing, the run waits for that: the next attempt plans anew.
        """
        run = await self._read(run_id)
        if not _goes_on(run, attempt):
            return 0
        try:
            async with _explained("planning", run, LOOK_TIMEOUT):
                plan = await self._task(run).plan(run.target, run.params)
        except StepFailed as failure:
            await self._stop(run, Conclusion("failed", str(failure)))
            return 0
        now = self._clock()
        if not await self._write(partial(runs.planned, run_id=run_id, plan=plan, now=now)):
            return 0
        if plan.made:
            await self._write(partial(_keep, run_id=run_id, made=plan.made, now=now))
        verdict = await self._may_apply(run, plan)
        if isinstance(verdict, Conclusion):
            await self._stop(run, verdict)
            return 0
        if verdict is not None:
            await self._ask(run, plan, verdict)
            return 0
        refusal = await self._begin_acting(run, plan)
        if refusal is not None:
            await self._stop(run, refusal)
            return 0
        return len(plan.actions)

    async def _begin_acting(self, run: Run, plan: Plan) -> Conclusion | None:
        """From here on the run acts, unless others have taken its slots or its budget since the guards were asked."""
        case = self._case(run, plan)
        disruptive = is_disruptive(self._tasks(), run.task)
        allowed = case.settings.concurrency.disruptive_per_host if disruptive else None
        return await self._write(partial(begin_acting, run=run, case=case, allowed=allowed))

    def _case(self, run: Run, plan: Plan) -> Case:
        return case_of(run, plan, self._remedies(), self._task(run).facts, self._clock())

    async def _may_apply(self, run: Run, plan: Plan) -> Conclusion | Block | None:
        """Why the plan is not applied: how the run ends, or what a person can lift. None if it may be applied."""
        assert run.before is not None
        if run.dry_run:
            count = len(plan.actions)
            return Conclusion("planned", f"dry run: {counted(count, 'action')} planned, nothing done")
        if not plan.actions:
            return verify.of_empty_plan(run.before, plan)
        judgement = await self._judge.judge(self._case(run, plan))
        block = judgement.refusal
        return blocked_by(block) if block is not None else judgement.first

    async def _ask(self, run: Run, plan: Plan, block: Block) -> None:
        """Lets the run wait until a person has approved the plan. Nothing of the engine is held meanwhile."""
        case = self._case(run, plan)
        until = case.now + case.settings.approval.expires
        asked = await self._write(partial(_wait, run=run, plan=plan, why=block.reason, now=case.now, until=until))
        if asked is not None:
            self._on_asked()
            log.info("run waits for approval", run=run.id, approval=asked, task=run.task, target=run.target,
                     why=block.reason)  # fmt: skip

    async def apply(self, run_id: int, position: int, attempt: int = 0) -> int:
        """Does the next action of the plan, unless the plan is too old by now, and with it those after it that its task
        lets go together. How many these are.

        Of all it is recorded that they begin before the first does, and of each what became of it.
        """
        run = await self._read(run_id)
        task: object = self._tasks().get(run.task)  # where it is gone, that is told where an action is done
        most = task.most_together if isinstance(task, GoesTogether) else 1
        following = await self._database.read(partial(runs.actions_from, run_id=run_id, position=position, most=most))
        count = 1
        if isinstance(task, GoesTogether) and len(following) > 1:
            count = max(1, min(task.together([action for action, _ in following]), len(following)))
        over = [done for _, done in following[:count]]
        left = [position + number for number, done in enumerate(over) if not done]  # the engine could not note the rest
        if not left or not _goes_on(run, attempt):
            return count
        now = self._clock()
        if self._too_old(run):
            await self._finish(run, dict.fromkeys(left, ActionResult("skipped", "the plan is too old")))
        elif not await self._write(partial(_begin_actions, run_id=run_id, positions=left, now=now)):
            await self._finish(run, dict.fromkeys(left, _CANCELLED))
        else:
            await self._act_together(run, left)
        return count

    async def _act_together(self, run: Run, positions: Sequence[int]) -> None:
        """A few at a time. What is done is recorded also where one of the others ends in a bug."""
        turns = asyncio.Semaphore(AT_ONCE)
        results: dict[int, ActionResult] = {}

        async def one(position: int) -> None:
            async with turns:
                cancelled = len(positions) > 1 and await self._database.read(partial(runs.is_cancelled, run_id=run.id))
                results[position] = _CANCELLED if cancelled else await self._act(run, position)

        failures = await asyncio.gather(*map(one, positions), return_exceptions=True)
        if results:
            await self._finish(run, results)
        for failure in failures:
            if failure is not None:
                raise failure

    async def _finish(self, run: Run, results: Mapping[int, ActionResult]) -> None:
        await self._write(partial(_finish_actions, run_id=run.id, results=results, now=self._clock()))

    async def _act(self, run: Run, position: int) -> ActionResult:
        action = await self._database.read(partial(runs.action_of, run_id=run.id, position=position))
        while True:
            try:
                task = self._task(run)
                with self._underway.of(run.id, position):
                    async with _explained(f"{action.kind} {action.object}", run, task.action_timeout):
                        effect = await task.apply(run.target, action)
                break
            except UpkeeperError as failure:
                if not await asyncio.to_thread(self._make_room, failure):
                    return ActionResult("failed", str(failure))
        if effect.made:
            await self._write(partial(_keep, run_id=run.id, made=effect.made, now=self._clock()))
        self._metrics.reclaimed(run.task, effect.freed_bytes)
        if effect.state == "done":
            self._metrics.acted(run.task, run.target, self._clock())
        return ActionResult(effect.state, effect.detail, effect.freed_bytes)

    async def verify(self, run_id: int, attempt: int = 0) -> None:
        """Measures again and closes the run with its outcome."""
        if not _goes_on(await self._read(run_id), attempt):
            return
        await self._write(partial(runs.set_state, run_id=run_id, state="verifying"))
        run = await self._read(run_id)  # from here on nobody can cancel it
        states = await self._database.read(partial(runs.action_states, run_id=run_id))
        assert run.before is not None  # the step before stored it
        if run.cancelled is not None or self._too_old(run):
            await self._clear_up(run, len(states))
        try:
            after = await self._measure(run, "measuring again")
        except StepFailed as failure:
            failed = Conclusion("failed", str(failure))
            await self._stop(run, failed if run.cancelled is None else verify.of_cancelled(run.cancelled, states))
            return
        await self._write(partial(runs.verified, run_id=run_id, after=after))
        if run.cancelled is not None:
            await self._stop(run, verify.of_cancelled(run.cancelled, states, after))
            return
        if self._too_old(run):
            reason = "it was interrupted for so long that the rest of its plan was dropped"
            await self._stop(run, Conclusion("expired", reason))
            return
        task = self._task(run)
        verdict = verify.of_actions(
            run.before, after, task.improved(run.before, after), states, all_or_nothing=task.facts.all_or_nothing
        )
        await self._stop(run, verdict)

    async def _clear_up(self, run: Run, count: int) -> None:
        """Lets the task undo what is left of a plan that is not applied to its end."""
        task: object = self._tasks().get(run.task)  # not each task is one that clears up
        if not isinstance(task, ClearsUp):
            return
        actions = [
            await self._database.read(partial(runs.action_of, run_id=run.id, position=position))
            for position in range(count)
        ]
        try:
            async with _explained("clearing up", run, LOOK_TIMEOUT):
                done = await task.clear_up(run.target, actions)
        except StepFailed as failure:
            log.warning("could not clear up after a run", run=run.id, task=run.task, target=run.target,
                        error=str(failure))  # fmt: skip
        else:
            if done:
                log.info("cleared up after a run", run=run.id, task=run.task, target=run.target, done=done)

    async def _measure(self, run: Run, doing: str) -> Measurement:
        async with _explained(doing, run, LOOK_TIMEOUT):
            return await self._task(run).measure(run.target)

    async def unfinished(self) -> bool:
        """Whether any run is queued or under way."""
        return bool(await self._database.read(partial(runs.unfinished, host=self._database.host)))

    async def begun(self, run_id: int) -> int:
        """The number of actions of a run that has begun to apply its plan; 0 if it has not."""
        if (await self._read(run_id)).state not in ("applying", "verifying"):
            return 0
        return len(await self._database.read(partial(runs.action_states, run_id=run_id)))

    async def abandon(self, run_id: int, reason: str) -> None:
        """Closes a run that the engine has given up."""
        await self._stop(await self._read(run_id), Conclusion("failed", reason))

    async def _stop(self, run: Run, verdict: Conclusion) -> Next:
        now = self._clock()
        if await self._write(partial(self._closing.close, run_id=run.id, verdict=verdict, now=now)):
            seconds = now - (run.started_at or now)
            self._closing.tell(run, verdict, seconds=seconds, now=now)
        return "stop"

    def _too_old(self, run: Run) -> bool:
        return run.planned_at is not None and self._clock() - run.planned_at > self._max_age(run)

    def _max_age(self, run: Run) -> float:
        task = self._tasks().get(run.task)
        return PLAN_MAX_AGE if task is None else task.facts.plan_max_age

    def _task(self, run: Run) -> Task:
        task = self._tasks().get(run.task)
        if task is None:
            raise TaskError(f"task {run.task} is no longer available")
        return task

    async def _read(self, run_id: int) -> Run:
        return await self._database.read(partial(runs.get, run_id=run_id))

    async def _write(self, work: Callable[[sa.Connection], T]) -> T:
        return await self._database.write(work)


_CANCELLED = ActionResult("skipped", "the run was cancelled before it was done")


def _begin_actions(connection: sa.Connection, run_id: int, positions: Sequence[int], now: float) -> bool:
    """False where a person has cancelled the run: then none begins."""
    return all(runs.action_started(connection, run_id, position, now) for position in positions)


def _finish_actions(connection: sa.Connection, run_id: int, results: Mapping[int, ActionResult], now: float) -> None:
    for position, result in sorted(results.items()):
        runs.action_finished(connection, run_id, position, result, now)


def blocked_by(block: Block) -> Conclusion:
    """How a run ends that a guard blocks."""
    return Conclusion("blocked", f"{block.guard}: {block.reason}")


def _goes_on(run: Run, attempt: int) -> bool:
    """Whether this attempt at a run is the one that is to be done: not one from before an approval, or of a run that is
    over.
    """
    return run.attempt == attempt and run.state not in ("waiting", "finished")


def _wait(connection: sa.Connection, run: Run, plan: Plan, why: str, *, now: float, until: float) -> int | None:
    """Asks for the approval of a plan, for which the run waits; the request's id, None where the attempt is over."""
    if not runs.wait(connection, run.id, run.attempt):
        return None
    named = plan_hash(plan.actions, host=run.host, task=run.task, target=run.target, params=run.params)
    return approvals.ask(connection, run.id, run.host, plan, named, why, now=now, until=until)


def _keep(connection: sa.Connection, run_id: int, made: Sequence[Made], now: float) -> None:
    for one in made:
        artefacts.keep(connection, run_id, name=one.name, media_type=one.media_type, content=one.content, now=now)


def begin_acting(connection: sa.Connection, run: Run, case: Case, allowed: int | None) -> Conclusion | None:
    """In one transaction, for which other writers of the host wait: the run acts from now on; else why it does not.

    case: with its plan. allowed: how many runs that interrupt something may act on the host; None: it does not.
    """
    if not runs.set_state(connection, run.id, "applying"):
        return Conclusion("cancelled", "it has ended meanwhile")
    block = over_by_now(connection, case)
    if block is None and allowed is not None and not slots.take(connection, run.id, run.host, allowed):
        block = block_by([one for one in slots.rivals(connection, run.host) if one.acting], allowed)
    if block is None:
        return None
    runs.set_state(connection, run.id, "planning")
    return blocked_by(block)


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
