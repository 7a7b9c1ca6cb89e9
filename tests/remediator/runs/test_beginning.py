"""Runs that were judged at the same moment begin to act, on every database: no more of them than the budget allows."""

import asyncio
from functools import partial

from pydantic import ByteSize

from remediator.config.guards import Budget, GuardSettings
from remediator.guards.guard import Case, Subject
from remediator.model.task import Action, Plan
from remediator.runs.steps import begin_acting
from remediator.runs.verify import Conclusion
from remediator.store import runs
from remediator.store.database import Database
from tests.remediator.store.conftest import Open, database, migrated_store, new_database, open_for, place
from tests.remediator.store.test_runs import create, request

__all__ = ["database", "migrated_store", "new_database", "open_for", "place"]

PLAN = Plan(actions=[Action(kind="delete", object="a", reason="old", estimated_bytes=40)])
DAILY = GuardSettings(budget=Budget(bytes_per_day=ByteSize(100)))


async def begin(database: Database, run_id: int, settings: GuardSettings = DAILY) -> Conclusion | None:
    """A run whose guards had nothing against its plan."""
    run = await database.read(partial(runs.get, run_id=run_id))
    case = Case(Subject.of(run.host, run.task, run.target, settings, run_id=run_id), settings, 1000.0, PLAN)
    return await database.write(partial(begin_acting, run=run, case=case, allowed=None))


async def planned(database: Database, target: str) -> int:
    run_id = await create(database, request(target=target))
    await database.write(partial(runs.begin, run_id=run_id, now=1.0))
    await database.write(partial(runs.planned, run_id=run_id, plan=PLAN, now=1.0))
    return run_id


async def test_of_many_that_race_as_many_act_as_the_day_allows(open_for: Open) -> None:
    databases = [await open_for("kitchen") for _ in range(3)]
    run_ids = [await planned(databases[0], f"t{number}") for number in range(9)]
    answers = await asyncio.gather(*(begin(databases[number % 3], run_id) for number, run_id in enumerate(run_ids)))
    assert sum(answer is None for answer in answers) == 2
    refused = [answer for answer in answers if answer is not None]
    assert {answer.outcome for answer in refused} == {"blocked"}
    assert {answer.reason for answer in refused} == {
        "budget: 80 B of 100 B allowed in any day are spent, and the plan is about 40 B"
    }
    states = [(await databases[0].read(partial(runs.get, run_id=run_id))).state for run_id in run_ids]
    assert sorted(states) == ["applying"] * 2 + ["planning"] * 7


async def test_a_run_that_begins_again_after_a_crash_is_not_in_its_own_way(database: Database) -> None:
    first, second = [await planned(database, target) for target in ("x", "y")]
    for _ in range(2):
        assert await begin(database, first) is None
        assert await begin(database, second) is None


async def test_without_a_days_budget_none_is_refused(database: Database) -> None:
    for number in range(4):
        assert await begin(database, await planned(database, f"t{number}"), GuardSettings()) is None
