"""The engine beside the runs: when it is up, and when it is not."""

import base64
import pickle
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from remediator.engine import Engine, import_engine
from remediator.model.caller import Caller
from remediator.model.errors import NoRoom
from remediator.model.run import Request
from remediator.store import pages, runs
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


async def test_a_run_that_broke_off_goes_on_although_the_engine_noted_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that was full for the run, and not for the engine a moment later."""
    attic = tmp_path / "attic"
    attic.mkdir()
    for name in ("dust", "moth"):
        (attic / name).write_text(name)
    task = Sweep(attic)
    async with an_engine(tmp_path / "upkeeper.db", task) as (engine, database):
        verify = engine._runner.verify
        full = [NoRoom("the file system is full")]

        async def once_full(run_id: int, attempt: int = 0) -> None:
            if full:
                raise full.pop()
            await verify(run_id, attempt)

        monkeypatch.setattr(engine._runner, "verify", once_full)
        request = Request(host=database.host, task="sweep", target="attic", caller=Caller("cli"), dry_run=False)
        run_id = await database.write(partial(runs.create, request=request, now=START))
        await engine.submit(run_id)
        await wait_until(lambda: engine.lost, equals={run_id}, what="the run to break off")
        await engine.resume({run_id: 0})

        async def state() -> str:
            return (await database.read(partial(runs.get, run_id=run_id))).state

        await wait_until(state, equals="finished", what="the run to finish")
        assert (await database.read(partial(pages.one_run, run_id=run_id)))["outcome"] == "effective"
    assert task.applied == ["dust", "moth"], "each once"


def _engines_own(before: set[str]) -> set[str]:
    """Threads that have come since, without those of the store and of blocking calls."""
    ours = ("store-", "blocking", "asyncio_")
    return {name for name in _names_of_threads() - before if not name.startswith(ours)}


def test_no_row_of_the_engine_s_tables_is_unpickled(tmp_path: Path) -> None:
    """DBOS goes by what a row says of itself, and not by the serializer that was set."""
    import_engine()
    from dbos import DBOSPortableJSONSerializer
    from dbos._serialization import deserialize_args, deserialize_exception, deserialize_value

    class Forged:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "run",))

    text = base64.b64encode(pickle.dumps(Forged())).decode()
    for read in (deserialize_args, deserialize_exception, deserialize_value):
        with pytest.raises(TypeError, match="a pickle in the engine's tables"):
            read(text, "py_pickle", DBOSPortableJSONSerializer())
    assert list(tmp_path.iterdir()) == []
