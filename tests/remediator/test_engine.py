"""The engine beside the runs: when it is up, and when it is not."""

import threading
from functools import partial
from pathlib import Path

from remediator.engine import Engine
from remediator.model.caller import Caller
from remediator.model.run import Request
from remediator.store import runs
from remediator.store.database import Database
from tests.helpers import wait_until
from tests.remediator.stack import START, an_engine
from tests.remediator.sweep import Sweep


async def _run(engine: Engine, database: Database) -> None:
    request = Request(host=database.host, task="sweep", target="attic", caller=Caller("cli"), dry_run=True)
    run_id = await database.write(partial(runs.create, request=request, now=START))
    await engine.submit(run_id)

    async def done() -> bool:
        return (await database.read(partial(runs.get, run_id=run_id))).state == "finished"

    await wait_until(done, what="the run to finish")


def _names_of_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


async def test_it_is_up_only_while_there_is_something_to_run(tmp_path: Path) -> None:
    attic = tmp_path / "attic"
    attic.mkdir()
    before = _names_of_threads()
    async with an_engine(tmp_path / "upkeeper.db", Sweep(attic), idle_seconds=1.0) as (engine, database):
        await engine.resume({})
        assert not _engines_own(before)
        for _ in range(2):
            await _run(engine, database)
            assert _engines_own(before)

            async def at_rest() -> bool:
                return not _engines_own(before)

            await wait_until(at_rest, what="the engine to rest")


def _engines_own(before: set[str]) -> set[str]:
    """Threads that have come since, without those of the store and of blocking calls."""
    ours = ("store-", "blocking", "asyncio_")
    return {name for name in _names_of_threads() - before if not name.startswith(ours)}
