"""Runs composite tasks: part after part, each as runs of its own. No engine workflow is held while they go.

What a composite does next follows from what is stored, so that it goes on when a child has ended, and after any crash.
A part is begun in one transaction with the runs that are made for it: children are made once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import sqlalchemy as sa
import structlog

from exporter.base.errors import UpkeeperError
from exporter.base.wakeup import is_set_within
from remediator.config.autonomy import Autonomy
from remediator.model.caller import Caller
from remediator.model.errors import NoRoom
from remediator.model.run import ActionResult, Request, Run
from remediator.model.task import Task
from remediator.model.tasks import facts_of, made
from remediator.runs.closing import Closing
from remediator.runs.parts import End, Finish, Start, Step, next_step
from remediator.runs.targets import meant_by
from remediator.runs.verify import Conclusion
from remediator.store import audit, parts, runs
from remediator.store.database import Database
from remediator.store.room import ROOM_INTERVAL

log = structlog.get_logger(__name__)

AUDIT_ENDED = "When it ended, the audit ended with"
"""Begins the note that names the head of the audit, as `upkeeper audit verify --head` takes it."""


class Composites:
    """Goes on with composite runs whenever it is woken.

    submit: queues a run. autonomy: what may be done of a part, by the run that was asked for and the part's task.
    """

    def __init__(
        self,
        database: Database,
        tasks: Callable[[], Mapping[str, Task]],
        submit: Callable[[int], Awaitable[None]],
        autonomy: Callable[[Run, Task], Autonomy],
        closing: Closing,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._submit = submit
        self._autonomy = autonomy
        self._closing = closing
        self._clock = clock
        self._wake = asyncio.Event()
        self._going: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Goes on with what was left, and from then on when woken."""
        self.wake()
        if self._going is None:
            self._going = asyncio.create_task(self._go_on(), name="composites")

    async def stop(self) -> None:
        if self._going is not None:
            self._going.cancel()
            with suppress(asyncio.CancelledError):
                await self._going

    def wake(self) -> None:
        """A composite was stored, or a run has ended that may be a part of one."""
        self._wake.set()

    async def _go_on(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.go_on()
            except NoRoom:
                await self._later()  # the store has warned of it
            except (sa.exc.SQLAlchemyError, OSError):
                log.exception("composite runs could not be gone on with")
                await self._later()

    async def _later(self) -> None:
        await is_set_within(self._wake, ROOM_INTERVAL)
        self._wake.set()

    async def go_on(self) -> None:
        """Takes every composite run as far as it goes now."""
        names = [name for name, facts in facts_of(self._tasks()).items() if facts.parts]
        unfinished = partial(parts.unfinished, host=self._database.host, tasks=names)
        # Those that are parts of others end first, so that one round is enough.
        for run_id in reversed(await self._database.read(unfinished)):
            while await self._step(run_id):
                pass

    async def _step(self, run_id: int) -> bool:
        """Whether there may be another step to do now."""
        run = await self._database.read(partial(runs.get, run_id=run_id))
        task = self._tasks().get(run.task)
        if run.state == "queued" and task is not None:
            plan = await task.plan(run.target)
            await self._database.write(partial(parts.begin, run_id=run_id, plan=plan, now=self._clock()))
            return True
        if run.state != "running":
            return False
        step = await self._database.read(partial(self._next, run=run, task=task))
        match step:
            case End(part, result):
                now = self._clock()
                await self._database.write(partial(_end, run_id=run_id, position=part.position, result=result, now=now))
                return True
            case Start(part):
                await self._start(run, part.position, part.task)
                return True
            case Finish(conclusion):
                await self._finish(run, conclusion)
                return False
            case _:
                return False

    def _next(self, connection: sa.Connection, run: Run, task: Task | None) -> Step:
        if task is None:
            return Finish(Conclusion("failed", f"task {run.task} is no longer available"))
        states, children = parts.states(connection, run.id), parts.children(connection, run.id)
        return next_step(task.facts.parts, states, children, run.cancelled)

    async def _start(self, run: Run, position: int, name: str) -> None:
        """Makes the runs of a part, one for each target; or says why there is none."""
        task = await made(self._tasks(), name)
        targets, why = await _targets(task)
        if task is None or not targets:
            end = partial(_end, run_id=run.id, position=position, result=ActionResult("skipped", why))
            await self._database.write(partial(end, now=self._clock()))
            return
        root = await self._database.read(partial(_root, run=run))
        autonomy = self._autonomy(root, task)
        dry_run = run.dry_run or autonomy == "observe"
        # By the job itself, whose word it is that a person must approve.
        caller = root.caller if autonomy == "approve" else Caller("run", str(run.id))
        requests = [
            Request(
                host=run.host,
                task=name,
                target=target,
                caller=caller,
                dry_run=dry_run,
                parent_id=run.id,
            )
            for target in targets
        ]
        run_ids = await self._database.write(
            partial(_make, run_id=run.id, position=position, requests=requests, now=self._clock())
        )
        for run_id in run_ids:
            await self._submit(run_id)

    async def _finish(self, run: Run, conclusion: Conclusion) -> None:
        now = self._clock()
        if await self._database.write(partial(self._close, run=run, conclusion=conclusion, now=now)):
            self._closing.tell(run, conclusion, seconds=now - (run.started_at or now), now=now)

    def _close(self, connection: sa.Connection, run: Run, conclusion: Conclusion, now: float) -> bool:
        """In one transaction. What was asked for by itself, such as a day's maintenance, names the audit's end then: in
        a report that people keep it proves how far the audit went.
        """
        closed = self._closing.close(connection, run.id, conclusion, now)
        head = audit.head(connection, run.host) if closed and run.parent_id is None else None
        if head is not None:
            parts.add_note(connection, run.id, f"{AUDIT_ENDED} {head}")
        return closed


async def _targets(task: Task | None) -> tuple[Sequence[str], str]:
    """What a part works on; and why there is nothing, where there is not."""
    if task is None:
        return (), "there is no such task yet"
    try:
        return await meant_by(task, None), "nothing of its kind is configured"
    except UpkeeperError as error:
        return (), f"its targets cannot be told: {error}"


def _root(connection: sa.Connection, run: Run) -> Run:
    """The run that was asked for, of which this one is a part, or a part of a part."""
    while run.parent_id is not None:
        run = runs.get(connection, run.parent_id)
    return run


def _end(connection: sa.Connection, run_id: int, position: int, result: ActionResult, now: float) -> None:
    runs.action_finished(connection, run_id, position, result, now)


def _make(connection: sa.Connection, run_id: int, position: int, requests: list[Request], now: float) -> list[int]:
    """Makes a part's runs in one transaction with its begin; nothing where that was done already."""
    if not parts.take(connection, run_id, position):
        return []
    runs.action_started(connection, run_id, position, now)
    made = []
    for request in requests:
        other, new = runs.create_unless_in_flight(connection, request, now)
        if new:
            made.append(other)
        else:
            note = f"{request.task} on {request.target} was left out: run {other} of it was under way already."
            parts.add_note(connection, run_id, note)
    return made
