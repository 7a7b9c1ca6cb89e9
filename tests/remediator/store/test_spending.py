"""What the runs of a task have removed, on every database: in sums of 64 bits."""

from functools import partial

from remediator.model.run import ActionResult
from remediator.model.task import Action, Plan
from remediator.model.words import RunState
from remediator.store import runs, spending
from remediator.store.database import Database
from remediator.store.spending import Spent
from tests.remediator.store.test_runs import create, request

BIG = 2**40
PLAN = Plan(
    actions=[
        Action(kind="delete", object=name, reason="old", estimated_bytes=BIG, items=items)
        for name, items in (("done", 3), ("partial", 1), ("failed", 1), ("skipped", 1), ("planned", 1))
    ]
)


async def add(database: Database, at: float | None, state: RunState = "applying", **what: object) -> int:
    """A run whose actions ended in every way, itself ended at a time."""
    run_id = await create(database, request(**what))

    def store(connection):  # type: ignore[no-untyped-def]
        runs.planned(connection, run_id, PLAN, 1.0)
        runs.set_state(connection, run_id, state)
        for position, ended in enumerate(("done", "partial", "failed", "skipped")):
            freed = 2 * BIG if ended == "done" else 5
            runs.action_finished(connection, run_id, position, ActionResult(ended, "", freed), 2.0)  # type: ignore[arg-type]
        if at is not None:
            runs.finish(connection, run_id, "effective", "", at)

    await database.write(store)
    return run_id


async def of(database: Database, since: float, but: int | None = None) -> list[Spent]:
    return list(await database.read(partial(spending.of_task, host="kitchen", task="t", since=since, but=but)))


async def test_what_was_done_counts_as_it_was_planned_or_as_it_freed_if_that_was_more(database: Database) -> None:
    await add(database, 10.0)
    await add(database, 20.0, target="y")
    await add(database, 30.0, host="cellar")
    await add(database, 30.0, task="other")
    await add(database, None, "planning", target="z")
    ended = (3 * BIG, 4)
    assert await of(database, 5.0) == [Spent(20.0, *ended), Spent(10.0, *ended)]
    assert await of(database, 10.0) == [Spent(20.0, *ended)]


async def test_all_of_a_plan_that_is_being_done_counts_but_for_the_run_that_asks(database: Database) -> None:
    run_id = await add(database, None)
    assert await of(database, 5.0) == [Spent(None, 4 * BIG, 5)]
    assert await of(database, 5.0, but=run_id) == []


async def test_the_plans_of_a_task_are_known_by_target_and_time(database: Database) -> None:
    await add(database, 10.0)
    await add(database, None, "planning", target="y")
    await add(database, 10.0, host="cellar")
    await database.write(partial(runs.create, request=request(target="never planned"), now=1.0))
    found = await database.read(partial(spending.planned, host="kitchen", task="t"))
    assert found == [("x", 1.0, 5 * BIG, 7), ("y", 1.0, 5 * BIG, 7)]
