"""The engine's queue: starting the engine, handing it stored runs, and resuming what was left."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from exporter.base.units import format_duration
from remediator.control.again import to_be_tried_again
from remediator.control.choosing import chosen_task
from remediator.model.errors import NoRoom, RequestError
from remediator.model.run import Run
from remediator.model.task import Task
from remediator.model.tasks import facts_of
from remediator.runs.composites import Composites
from remediator.runs.looking import Looking
from remediator.runs.steps import Runner
from remediator.store import runs
from remediator.store.ballast import Ballast
from remediator.store.database import Database
from remediator.store.rights import engine_schema
from remediator.store.room import ROOM_INTERVAL, explained

if TYPE_CHECKING:
    from remediator.engine import Engine


HANDED_OVER_FOR = 3600.0
"""Seconds after which a run is not begun any more that a person asked for while its host was away."""
MAX_DEATHS = 5
"""A run on which so many processes in a row have died, none having brought it further, is given up."""


class Queue:
    """The runs that are stored and those that the engine knows of. begins: awaited before a stored run begins. refuses:
    why nothing is done for another host; None where it is.
    """

    def __init__(
        self,
        database: Database,
        runner: Runner,
        composites: Composites,
        tasks: Callable[[], Mapping[str, Task]],
        ballast: Ballast,
        workers: Callable[[], int],
        clock: Callable[[], float],
        begins: Callable[[int], Awaitable[object]] | None = None,
        refuses: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._refuses = refuses
        self._begins = begins
        self._database = database
        self._runner = runner
        self._looking = Looking(runner, self._lost)
        self._composites = composites
        self._tasks = tasks
        self._ballast = ballast
        self._workers = workers
        self._clock = clock
        self._engine: Engine | None = None
        self._unqueued = False
        """Whether a stored run could not be handed over, or done, because the disk is full."""
        self._taken_up = False
        self._handed: set[tuple[int, int]] = set()
        """Attempts at runs that this process works on, or did."""

    async def start(self) -> None:
        """Makes the engine, and resumes what an earlier process left unfinished.

        Raises NoRoom, and then may be called again.
        """
        from remediator.engine import Engine

        if self._engine is None:
            await self._database.migrate()  # again, as it may be open only to read
            await self._database.require_room()
            host = self._database.host
            self._engine = Engine(
                self._database.url,
                self._runner,
                executor_id=host,
                workers=self._workers(),
                make_room=self._ballast.release,
                turn=self._database.turn,
                schema=engine_schema(host) if self._database.held else None,
            )
        if not self._taken_up:
            died = await self._database.write(partial(runs.take_up, host=self._database.host))
            self._taken_up = True
            for run_id, deaths in died.items():
                if deaths >= MAX_DEATHS:
                    await self._runner.abandon(run_id, f"the remediator died {deaths} times in a row in the same step")
        await self._resume()

    async def _resume(self) -> None:
        assert self._engine is not None
        unfinished = await self._accepted(await self._database.read(partial(runs.attempts, host=self._database.host)))
        work = {run_id: await self._work_of(run_id) for run_id in unfinished}
        durable = {run_id: attempt for run_id, attempt in unfinished.items() if work[run_id] == "durable"}
        await self._with_room(partial(self._engine.resume, durable))
        self._looking.start(run_id for run_id in unfinished if work[run_id] == "look")
        self._composites.start()
        self._handed |= set(unfinished.items())
        self._unqueued = False

    async def _accepted(self, attempts: Mapping[int, int]) -> Mapping[int, int]:
        """Without those that a person asked for on another host, and that there cannot be here: they are closed."""
        if self._database.one_machine:
            return attempts
        accepted = {}
        for run_id, attempt in attempts.items():
            run = await self._database.read(partial(runs.get, run_id=run_id))
            if run.via is not None and run.state == "queued":
                await self._database.write(partial(runs.taken_up, run=run, now=self._clock()))
            refusal = await self._refusal(run)
            if refusal is None:
                accepted[run_id] = attempt
            else:
                await self._runner.abandon(run_id, refusal)
        return accepted

    async def _refusal(self, run: Run) -> str | None:
        """Why a run that was handed over by another host is none for this one."""
        if run.state != "queued" or run.parent_id is not None or not run.caller.by_hand or run.attempt:
            return None
        if self._clock() - run.requested_at > HANDED_OVER_FOR:
            return f"it was asked for more than {format_duration(HANDED_OVER_FOR)} ago, and the host was away since"
        refusal = None if run.via is None else self._refuses(run.via)
        if refusal is not None:
            return refusal
        try:
            await chosen_task(self._tasks(), run.task, run.target, run.params)
        except RequestError as error:
            return str(error)
        return None

    async def pick_up(self) -> None:
        """Begins runs of this host that another has stored, or goes on with those that it has approved."""
        if self._engine is None or not self._taken_up:
            return
        with to_be_tried_again("runs that other hosts have handed over could not be begun"):
            unfinished = await self._database.read(partial(runs.attempts, host=self._database.host))
            self._handed &= set(unfinished.items())
            new = {run_id: number for run_id, number in unfinished.items() if (run_id, number) not in self._handed}
            for run_id, attempt in (await self._accepted(new)).items():
                await self.submit(run_id, attempt)

    def _lost(self) -> None:
        self._unqueued = True

    async def _work_of(self, run_id: int) -> Literal["look", "parts", "durable"]:
        """Who does a run: only what acts needs the engine."""
        run = await self._database.read(partial(runs.get, run_id=run_id))
        facts = facts_of(self._tasks()).get(run.task)
        if facts is None or not (facts.parts or facts.only_looks):
            return "durable"
        return "parts" if facts.parts else "look"

    async def submit(self, run_id: int, attempt: int = 0) -> None:
        """Hands over an attempt at a stored run. Raises NoRoom; then it is handed over when there is room again."""
        assert self._engine is not None, "runs are queued only where there is an engine"
        self._handed.add((run_id, attempt))
        if self._begins is not None:
            await self._begins(run_id)
        work = await self._work_of(run_id)
        if work == "parts":
            self._composites.wake()
            return
        if work == "look":
            self._looking.start([run_id])
            return
        try:
            await self._with_room(partial(self._engine.submit, run_id, attempt))
        except NoRoom:
            self._unqueued = True
            raise
        except BaseException:
            self._handed.discard((run_id, attempt))
            raise

    async def _with_room(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does what may be done again, on a full disk with what its ballast gives. Raises NoRoom."""
        while True:
            try:
                with explained(self._ballast.root):
                    return await work()
            except NoRoom:
                if not await asyncio.to_thread(self._ballast.release):
                    raise

    async def queue_again(self) -> None:
        """Once the disk has room, hands the engine the runs that it could not take or resume while it was full.

        Ends by cancellation.
        """
        while True:
            await asyncio.sleep(ROOM_INTERVAL)
            if self._unqueued or (self._engine is not None and self._engine.lost):
                with to_be_tried_again("runs could not be gone on with"):
                    await self._resume()

    async def forget(self, attempts: Mapping[int, int]) -> None:
        """Deletes what the engine remembers of finished runs. attempts: the number of the last, by the run's id."""
        if self._engine is not None:
            await self._engine.forget(attempts)

    async def stop(self, *, in_order: bool = True) -> None:
        """Stops. in_order: it can be noted that what is left under way was not what ended the process."""
        await self._composites.stop()
        await self._looking.stop()
        if self._engine is not None:
            await self._engine.stop()
        if self._taken_up and in_order:
            with to_be_tried_again("it could not be noted that runs were put down in order"):
                await self._database.write(partial(runs.put_down, host=self._database.host))
