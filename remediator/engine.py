"""The durable engine, and the only file that knows it is DBOS.

A run is a workflow whose steps are the Runner's. DBOS remembers which steps are done; after a crash the next start
repeats the step that was interrupted and goes on from there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from remediator.runner import Runner

APPLICATION_VERSION = "1"
"""Pinned, since DBOS recovers only runs of its own version. Raised when a workflow's order of steps changes."""
MAX_RECOVERIES = 5
"""A run that brought the process down so many times is given up."""
POLL_INTERVAL = 0.2
"""Seconds between two looks at the queue."""
THREADS = 64
"""Threads for the engine and for the tasks' blocking calls together."""

ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class Engine:
    """Runs the steps of queued runs, a bounded number of runs at a time. One in a process.

    database: URL of the SQLite file; its write-ahead log must be on already.
    executor_id: a stable identity of this host: a start recovers what the same identity left behind.
    """

    def __init__(self, database: str, runner: Runner, *, executor_id: str, workers: int) -> None:
        self._database = database
        self._runner = runner
        self._executor_id = executor_id
        self._queue = f"runs-{executor_id}"
        self._workers = workers
        self._workflow: Any = None
        self._stopping = False
        self._under_way: set[asyncio.Task[Any]] = set()
        self.lost: set[int] = set()
        """Runs that broke off without the engine's being able to store that: it takes them for running still."""

    async def start(self) -> None:
        """Starts the workers and goes on with the runs that an earlier process left unfinished.

        Workflows run on the event loop that this is called on.
        """
        _quieten()
        config: DBOSConfig = {
            "name": "upkeeper",
            "system_database_url": self._database,
            "executor_id": self._executor_id,
            "application_version": APPLICATION_VERSION,
            "max_executor_threads": THREADS,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": POLL_INTERVAL,
        }
        DBOS(config=config)
        durable = DBOS.workflow(name="run", max_recovery_attempts=MAX_RECOVERIES)
        self._workflow = durable(_workflow(self._runner, self._starts))
        DBOS.listen_queues([self._queue])
        DBOS.launch()
        await DBOS.register_queue_async(
            self._queue,
            worker_concurrency=self._workers,
            polling_interval_sec=POLL_INTERVAL,
            on_conflict="always_update",
        )

    async def submit(self, run_id: int) -> None:
        """Queues a run. Queueing it a second time changes nothing."""
        with SetWorkflowID(_workflow_id(run_id)):
            await DBOS.enqueue_workflow_async(self._queue, self._workflow, run_id)

    async def resume(self, run_ids: Iterable[int]) -> None:
        """Queues unfinished runs that were kept from the queue or broken off, and closes those that were given up."""
        for run_id in run_ids:
            status = await DBOS.get_workflow_status_async(_workflow_id(run_id))
            if status is None:
                await self.submit(run_id)
            elif status.status in ENDED:
                await self._runner.abandon(run_id, f"the engine gave it up ({status.status.lower().replace('_', ' ')})")
            elif run_id in self.lost:
                await DBOS.resume_workflow_async(_workflow_id(run_id), queue_name=self._queue)
            self.lost.discard(run_id)

    async def forget(self, run_ids: Iterable[int]) -> None:
        """Deletes what the engine remembers of finished runs."""
        await DBOS.delete_workflows_async([_workflow_id(run_id) for run_id in run_ids])

    async def stop(self) -> None:
        """Stops the workers. What is under way is dropped where it is, unrecorded; the next start goes on with it."""
        self._stopping = True
        await self._drop_runs()
        await asyncio.get_running_loop().run_in_executor(ThreadPoolExecutor(1), self._destroy)
        await self._drop_runs()
        # The engine made its own threads the loop's default, and ended them.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

    async def _starts(self, run_id: int) -> None:
        """Called by each run when it starts, in its own task."""
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        task.add_done_callback(partial(self._ended, run_id))
        if self._stopping:
            await asyncio.Future()  # taken from the queue too late; dropped in a moment

    def _ended(self, run_id: int, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.lost.add(run_id)

    async def _drop_runs(self) -> None:
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)

    @staticmethod
    def _destroy() -> None:
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=0)


def _workflow(runner: Runner, starts: Callable[[int], Awaitable[None]]) -> Callable[[int], Awaitable[None]]:
    """The steps of a run, as the plain function that the engine wants."""

    async def run(run_id: int) -> None:
        await starts(run_id)
        if await DBOS.run_step_async({"name": "measure"}, runner.measure, run_id) == "stop":
            return
        count = await DBOS.run_step_async({"name": "plan"}, runner.plan, run_id)
        if count == 0:
            return
        for position in range(count):
            await DBOS.run_step_async({"name": "apply"}, runner.apply, run_id, position)
        await DBOS.run_step_async({"name": "verify"}, runner.verify, run_id)

    return run


def _workflow_id(run_id: int) -> str:
    return f"run-{run_id}"


def _quieten() -> None:
    """The engine's own lines go through our logging, from warnings on; the advertisement at its start does not."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # keeps the engine from adding a handler of its own
    logger.propagate = True
    logger.setLevel(logging.WARNING)
    logger.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the engine tells something: that runs are dropped when we stop it does not."""
    return not record.getMessage().startswith("Asyncio task cancelled")
