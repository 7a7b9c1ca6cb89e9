"""The durable engine, and the only file that knows it is DBOS.

A run is a workflow whose steps are the Runner's. DBOS remembers which steps are done; after a crash the next start
repeats the step that was interrupted and goes on from there. A run that waits for a person has no workflow: the
approval begins another one, with the same steps.

DBOS runs only while there is something to run: it takes a tenth of a second to start, and while it is up its threads
ask the database several times a second whether anything is new, which at rest is all that a remediator would do.
"""

import asyncio
import gc
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import structlog

from exporter.base.memory import imported_when_used
from remediator.model.errors import NoRoom
from remediator.runs.steps import Runner
from remediator.store.room import may_lack_room, no_room
from remediator.store.turn import Turn

if TYPE_CHECKING:
    import sqlalchemy as sa
    from dbos import DBOSConfig

log = structlog.get_logger(__name__)

APPLICATION_VERSION = "1"
"""Pinned, since DBOS recovers only runs of its own version. Raised when a workflow's order of steps changes."""
POLL_INTERVAL = 1.0
"""Seconds between two checks for runs that another or an earlier process has queued."""
IDLE_SECONDS = 30.0
"""Seconds without a run after which DBOS is stopped."""
THREADS = 64
"""Threads for the engine and for the tasks' blocking calls together."""

_AGAIN = "the disk was full, so that the database is locked until this is tried again"

_AGAIN_SUFFIX = "-again"

_TURN = "turn"
ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class Engine:
    """Runs the steps of runs, a bounded number of runs at a time. One in a process.

    database: URL of the SQLite file; its write-ahead log must be on already.
    executor_id: a stable identity of this host: a start recovers what the same identity left behind.
    make_room, turn: as the Database's. schema: of the engine's own tables on PostgreSQL, unless that is its default.
    """

    def __init__(
        self,
        database: str,
        runner: Runner,
        *,
        executor_id: str,
        workers: int,
        idle_seconds: float = IDLE_SECONDS,
        make_room: Callable[[], bool] = lambda: False,
        turn: Turn | None = None,
        schema: str | None = None,
    ) -> None:
        self._database = database
        self._turn = turn or Turn()
        self._schema = schema
        self._make_room = make_room
        self._own: sa.Engine | None = None
        self._runner = runner
        self._executor_id = executor_id
        self._queue = f"runs-{executor_id}"
        self._workers = asyncio.Semaphore(workers)
        self._width = workers
        self._idle_seconds = idle_seconds
        self._workflow: Any = None
        self._rest_of_run: Any = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="blocking")
        self._launching = asyncio.Lock()
        self._stopping = False
        self._under_way: set[asyncio.Task[Any]] = set()
        self._resting: asyncio.Task[None] | None = None
        self.lost: set[int] = set()
        """Runs that broke off when the engine could not store that: it still considers them running."""

    async def submit(self, run_id: int, attempt: int = 0) -> None:
        """Starts an attempt at a run, or lets it wait for a free worker. Doing so a second time changes nothing."""
        async with self._launching:
            await self._launched()
            await self._start(run_id, attempt)

    async def resume(self, attempts: Mapping[int, int]) -> None:
        """Resumes unfinished runs, whether of an earlier process or broken off, and closes those that DBOS gave up.

        attempts: by the run's id. DBOS itself resumes only those of its own executor_id, and this machine may have been
        renamed.
        """
        if not attempts:
            return
        async with self._launching:
            await self._launched()
            from dbos import DBOS

            for run_id, attempt in attempts.items():
                workflow = _workflow_id(run_id, attempt)
                status = await DBOS.get_workflow_status_async(workflow)
                if status is None:
                    await self._start(run_id, attempt)
                elif status.status == "ERROR" and run_id in self.lost and await self._once_again(run_id, attempt):
                    pass
                elif status.status in ENDED:
                    reason = f"the engine gave it up ({status.status.lower().replace('_', ' ')})"
                    await self._runner.abandon(run_id, reason)
                elif run_id in self.lost or status.executor_id != self._executor_id:
                    await DBOS.resume_workflow_async(workflow, queue_name=self._queue)
                self.lost.discard(run_id)
            self._keep_own_threads()

    async def _once_again(self, run_id: int, attempt: int) -> bool:
        """Goes on with a run that broke off, where DBOS could store that it did; False if it has done so before."""
        from dbos import DBOS, SetWorkflowID

        workflow = _workflow_id(run_id, attempt) + _AGAIN_SUFFIX
        if await DBOS.get_workflow_status_async(workflow) is not None:
            return False
        with SetWorkflowID(workflow):
            await DBOS.start_workflow_async(self._rest_of_run, run_id, attempt)
        return True

    async def forget(self, attempts: Mapping[int, int]) -> None:
        """Deletes what the engine remembers of finished runs. attempts: the number of the last, by the run's id."""
        async with self._launching:
            await self._launched()
            from dbos import DBOS

            await DBOS.delete_workflows_async([
                _workflow_id(run_id, number) + suffix
                for run_id, last in attempts.items() for number in range(last + 1) for suffix in ("", _AGAIN_SUFFIX)
            ])  # fmt: skip
            self._keep_own_threads()

    async def stop(self) -> None:
        """Stops the workers. What is under way is dropped where it is, unrecorded; the next start resumes it."""
        self._stopping = True
        if self._resting is not None:
            self._resting.cancel()
        async with self._launching:
            await self._drop_runs()
            await self._rest()
            await self._drop_runs()
        # A default of its own, as what is closed after this may need one.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        self._threads.shutdown(wait=False)

    async def _start(self, run_id: int, attempt: int) -> None:
        from dbos import DBOS, SetWorkflowID

        with SetWorkflowID(_workflow_id(run_id, attempt)):
            await DBOS.start_workflow_async(self._workflow, run_id, attempt)
        self._keep_own_threads()

    async def _launched(self) -> None:
        """Starts DBOS on this event loop unless it is up. Its import takes longer than its start."""
        if self._workflow is None:
            await asyncio.to_thread(import_engine)
            try:
                await self._launch()
            except BaseException:
                await self._rest()
                raise
        if self._resting is None or self._resting.done():
            self._resting = asyncio.create_task(self._rest_when_idle(), name="engine rest")

    async def _launch(self) -> None:
        from dbos import DBOS, DBOSPortableJSONSerializer

        if self._own is None and self._database.startswith("sqlite"):
            self._own = _sqlite(self._database, self._make_room, self._turn)
        config: DBOSConfig = {
            "name": "upkeeper",
            "system_database_url": self._database,
            "system_database_engine": self._own,
            "executor_id": self._executor_id,
            "application_version": APPLICATION_VERSION,
            "max_executor_threads": THREADS,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": POLL_INTERVAL,
        }
        if self._schema is not None:
            config["dbos_system_schema"] = self._schema
        DBOS(config=config)
        # It counts every restart, of the machine too; the queue counts those that a run may have to do with.
        durable = DBOS.workflow(name="run", max_recovery_attempts=None)
        self._workflow = durable(_workflow(self._runner, self._starts, self._workers))
        rest = DBOS.workflow(name="rest of run", max_recovery_attempts=None)
        self._rest_of_run = rest(_rest_of_run(self._runner, self._starts, self._workers))
        # Runs are started at once and not queued; the queue is that of a release which queued them.
        DBOS.listen_queues([self._queue])
        DBOS.launch()
        await DBOS.register_queue_async(
            self._queue,
            worker_concurrency=self._width,
            polling_interval_sec=POLL_INTERVAL,
            on_conflict="always_update",
        )
        self._keep_own_threads()

    def _keep_own_threads(self) -> None:
        """DBOS makes its own threads the loop's default at its calls, and ends them when it stops."""
        asyncio.get_running_loop().set_default_executor(self._threads)

    async def _rest_when_idle(self) -> None:
        """Stops DBOS once nothing has been under way for a while."""
        quiet_since: float | None = None
        clock = asyncio.get_running_loop().time
        while True:
            if self._under_way or await self._runner.unfinished():
                quiet_since = None
            elif quiet_since is None:
                quiet_since = clock()
            elif clock() - quiet_since >= self._idle_seconds:
                async with self._launching:
                    if not self._under_way and not await self._runner.unfinished():
                        await self._rest()
                        return
            await asyncio.sleep(self._idle_seconds / 4)

    async def _rest(self) -> None:
        """Stops DBOS. Its calls are ended in a thread of their own: it joins its threads."""
        if self._workflow is None:
            return
        self._keep_own_threads()
        self._workflow = None
        await asyncio.get_running_loop().run_in_executor(self._threads, _destroy)
        if self._own is not None:
            self._own.dispose()
            self._own = None
        log.debug("engine at rest")

    async def _starts(self, run_id: int) -> None:
        """Called by each run when it starts, in its own task."""
        task = asyncio.current_task()
        assert task is not None
        self._keep_own_threads()
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


def import_engine() -> None:
    """Imports what the engine is made of. Blocks for half a second at the first call."""
    first = "dbos" not in sys.modules
    with imported_when_used("psycopg", "errors"):  # 12 MB, which it imports for a database that is not SQLite
        import dbos  # noqa: F401

    if first:
        gc.freeze()  # it stays: no later collection need walk it, while a webhook waits
    _quieten()
    _refuse_pickles()


def _destroy() -> None:
    from dbos import DBOS

    DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=0)


def _sqlite(url: str, make_room: Callable[[], bool], turn: Turn) -> "sa.Engine":
    """An engine as DBOS makes it (dbos._sys_db_sqlite), whose writes are done again where there is room by then, and
    have their turns with ours.

    DBOS repeats a transaction whose error says that the database is locked, and no other.
    """
    import sqlalchemy as sa

    engine = sa.create_engine(url, pool_size=20, max_overflow=0)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "temp_store=MEMORY", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "before_cursor_execute")
    def take(connection: sa.Connection, _cursor: object, statement: str, *_rest: object) -> None:
        # The driver begins a transaction at the first of these, and not before.
        info = connection.connection.record_info
        assert info is not None, "connections are of the pool"
        if _TURN not in info and statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            info[_TURN] = turn.take()

    @sa.event.listens_for(engine, "checkin")
    def leave(_connection: object, record: Any) -> None:
        if record.record_info.pop(_TURN, False):
            turn.leave()

    @sa.event.listens_for(engine, "handle_error")
    def again(context: sa.engine.ExceptionContext) -> None:
        path = Path(unquote(str(engine.url.database).removeprefix("file:")))
        failure = context.original_exception
        lacks = no_room(failure, path.parent) is not None or may_lack_room(failure)
        if lacks and make_room():
            raise NoRoom(_AGAIN) from failure

    return engine


def _workflow(
    runner: Runner, starts: Callable[[int], Awaitable[None]], workers: asyncio.Semaphore
) -> Callable[[int, int], Awaitable[None]]:
    """The steps of a run, as the plain function that the engine wants.

    Those of the build of November 2026 were started without the number of an attempt, and go on as the first.
    """

    async def run(run_id: int, attempt: int = 0) -> None:
        await starts(run_id)
        async with workers:
            await _apply(runner, run_id, attempt, await _look(runner, run_id, attempt))

    return run


async def _look(runner: Runner, run_id: int, attempt: int) -> int:
    """Measures and plans; the number of actions to apply, 0 to stop."""
    from dbos import DBOS

    if await DBOS.run_step_async({"name": "measure"}, runner.measure, run_id, attempt) == "stop":
        return 0
    return await DBOS.run_step_async({"name": "plan"}, runner.plan, run_id, attempt)


async def _apply(runner: Runner, run_id: int, attempt: int, count: int) -> None:
    """Applies the plan, if it has actions, and measures again."""
    from dbos import DBOS

    position = 0
    while position < count:
        done = await DBOS.run_step_async({"name": "apply"}, runner.apply, run_id, position, attempt)
        position += done or 1  # steps of earlier builds did one, and said nothing
    if count:
        await DBOS.run_step_async({"name": "verify"}, runner.verify, run_id, attempt)


def _rest_of_run(
    runner: Runner, starts: Callable[[int], Awaitable[None]], workers: asyncio.Semaphore
) -> Callable[[int, int], Awaitable[None]]:
    """What is left to do of a run that broke off: the plan that it had begun to apply, else all of it."""
    from dbos import DBOS

    async def rest(run_id: int, attempt: int) -> None:
        await starts(run_id)
        async with workers:
            count = await DBOS.run_step_async({"name": "begun"}, runner.begun, run_id)
            await _apply(runner, run_id, attempt, count or await _look(runner, run_id, attempt))

    return rest


def _workflow_id(run_id: int, attempt: int) -> str:
    return f"run-{run_id}-{attempt}" if attempt else f"run-{run_id}"


def _refuse_pickles() -> None:
    """DBOS unpickles a row that says of itself that it is a pickle, whatever serializer is set (dbos._serialization):
    whoever can write into its tables could have any code run here. Ours are JSON, and never anything else.
    """
    from dbos import _serialization

    def refuse(_serializer: object, _text: str) -> Any:
        raise TypeError("a pickle in the engine's tables, which Upkeeper never writes")

    _serialization.DefaultSerializer.deserialize = refuse  # type: ignore[method-assign,assignment]


def _quieten() -> None:
    """The engine's own lines go through our logging, warnings and above; the advertisement at its start does not."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # keeps the engine from adding a handler of its own
    logger.propagate = True
    logger.setLevel(logging.WARNING)
    if _is_news not in logger.filters:
        logger.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the engine is worth logging: not that runs are dropped when we stop it, nor what the ballast
    has already said.
    """
    text = record.getMessage()
    return not text.startswith("Asyncio task cancelled") and _AGAIN not in text
