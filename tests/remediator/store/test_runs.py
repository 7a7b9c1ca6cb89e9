"""Runs, step by step, on every database."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from remediator.model.caller import Caller
from remediator.model.run import ActionResult, Request
from remediator.model.task import Action, Measurement, Plan
from remediator.store import pages, runs
from remediator.store.database import Database
from remediator.store.tables import runs as table

HUGE = 5 * 2**40
"""Bytes of a disk that a number of 32 bits does not hold."""


def request(host: str = "kitchen", task: str = "t", **more: object) -> Request:
    given = {"host": host, "task": task, "target": "x", "caller": Caller("cli", "pat"), "dry_run": False, **more}
    return Request(**given)  # type: ignore[arg-type]


async def create(database: Database, asked: Request, now: float = 1.0) -> int:
    return await database.write(partial(runs.create, request=asked, now=now))


async def finish(database: Database, run_id: int, now: float = 9.0) -> bool:
    return await database.write(partial(runs.finish, run_id=run_id, outcome="effective", reason="", now=now))


async def test_a_run_is_what_was_asked_for(database: Database) -> None:
    asked = request(caller=Caller("schedule", "nightly"), params={"force": True, "sets": ["a", 2]}, dry_run=True)
    run = await database.read(partial(runs.get, run_id=await create(database, asked)))
    assert (run.host, run.caller, run.params, run.dry_run) == (asked.host, asked.caller, asked.params, True)
    assert (run.state, run.trigger, run.remedy) == ("queued", "schedule", None)


async def test_from_request_to_outcome(database: Database) -> None:
    run_id = await create(database, request(caller=Caller("alert", "tidy")))
    action = Action(kind="delete", object="x", reason="y", estimated_bytes=HUGE, params={"inode": 2**53})
    breached = Measurement(breached=True, values={"bytes": float(HUGE)}, detail="full")
    done = ActionResult("done", "", HUGE)
    for work in (
        partial(runs.begin, run_id=run_id, now=2.0),
        partial(runs.measured, run_id=run_id, before=breached),
        partial(runs.planned, run_id=run_id, plan=Plan(actions=[action] * 2, notes=["one stays"]), now=3.0),
        partial(runs.planned, run_id=run_id, plan=Plan(actions=[action], notes=["one stays"]), now=3.0),
        partial(runs.set_state, run_id=run_id, state="applying"),
        partial(runs.action_started, run_id=run_id, position=0, now=4.0),
        partial(runs.action_finished, run_id=run_id, position=0, result=done, now=5.0),
        partial(runs.verified, run_id=run_id, after=Measurement(breached=False)),
    ):
        await database.write(work)
    assert await database.read(partial(runs.action_of, run_id=run_id, position=0)) == action
    assert await database.read(partial(runs.action_states, run_id=run_id)) == [("done", "")]
    assert await finish(database, run_id)
    assert not await finish(database, run_id), "it stays as it was"
    view = await database.read(partial(pages.one_run, run_id=run_id))
    assert (view["remedy"], view["caller"]) == ("tidy", {"trigger": "alert", "name": "tidy"})
    assert (view["before"], view["notes"]) == (breached.model_dump(), ["one stays"])
    assert (view["actions"][0]["estimated_bytes"], view["freed_bytes"]) == (HUGE, HUGE)
    with pytest.raises(LookupError):
        await database.read(partial(runs.action_of, run_id=run_id, position=1))


async def test_one_run_of_a_task_on_a_target_of_a_host_is_in_flight(database: Database) -> None:
    first = await create(database, request())
    await create(database, request(task="other"))
    await create(database, request(host="cellar"))
    for state in ("queued", "measuring", "waiting", "verifying"):
        await database.write(partial(runs.set_state, run_id=first, state=state))
        with pytest.raises(sa.exc.IntegrityError):
            await create(database, request())
    await finish(database, first)
    assert await create(database, request()) > first


async def test_what_a_start_goes_on_with(database: Database) -> None:
    queued, under_way, waiting, done = [await create(database, request(task=task)) for task in "abcd"]
    await create(database, request(host="cellar"))
    await database.write(partial(runs.begin, run_id=under_way, now=2.0))
    await database.write(partial(runs.set_state, run_id=waiting, state="waiting"))
    await finish(database, done)
    assert await database.read(partial(runs.unfinished, host="kitchen")) == [queued, under_way]
    assert await database.read(partial(pages.unfinished_runs, host="kitchen")) == 3
    shown = await database.read(partial(pages.runs_under_way, host="kitchen"))
    assert [run["id"] for run in shown] == [under_way]


async def test_children_are_left_where_their_parent_is_deleted(database: Database) -> None:
    """One of them may still wait for a person."""
    parent = await create(database, request(task="daily"))
    child = await create(database, request(caller=Caller("run", str(parent)), parent_id=parent))
    assert (await database.read(partial(pages.one_run, run_id=child)))["parent_id"] == parent
    await database.write(lambda connection: connection.execute(table.delete().where(table.c.id == parent)))
    run = await database.read(partial(runs.get, run_id=child))
    assert (run.parent_id, run.caller) == (None, Caller("run", str(parent)))


async def test_ids_are_of_64_bits(database: Database) -> None:
    def far_on(connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT setval('runs_id_seq', {HUGE})"))
        else:
            connection.execute(sa.text(f"UPDATE sqlite_sequence SET seq = {HUGE} WHERE name = 'runs'"))

    await finish(database, await create(database, request()))
    await database.write(far_on)
    run_id = await create(database, request())
    assert run_id == HUGE + 1
    await database.write(partial(runs.planned, run_id=run_id, plan=Plan(), now=3.0))
    assert (await database.read(partial(pages.list_runs, limit=1)))["items"][0]["id"] == run_id


async def test_of_a_long_record_only_what_is_unfinished_is_read(tmp_path: Path) -> None:
    """At each start and end, and at each scrape: SQLite tells how it finds them."""
    database = Database(tmp_path / "upkeeper.db")
    await database.migrate()

    def plans(connection: sa.Connection) -> list[str]:
        said: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
            said.append((statement, parameters))

        sa.event.listen(connection, "before_cursor_execute", note)
        runs.unfinished(connection, database.host)
        runs.take_up(connection, database.host)
        runs.put_down(connection, database.host)
        sa.event.remove(connection, "before_cursor_execute", note)
        return [
            " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
            for statement, parameters in said
        ]

    found = await database.write(plans)
    await database.close()
    assert len(found) == 5
    assert [plan for plan in found if "uq_runs_in_flight" not in plan] == []
