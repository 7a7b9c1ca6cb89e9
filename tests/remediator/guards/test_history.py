"""What is read of the runs of a task on a target, from a real record."""

from functools import partial
from pathlib import Path

import pytest

from remediator.guards.guard import Sources, Subject
from remediator.guards.history import History
from remediator.model.caller import COMMAND, Caller
from remediator.model.hold import PastRun
from remediator.model.run import ActionResult, Request
from remediator.model.task import Action, Measurement, Plan
from remediator.model.words import Outcome
from remediator.store import holds, runs
from remediator.store.database import Database
from tests.remediator.guards.cases import NOW

ATTIC = Subject("here", "sweep", "attic")
OBSERVED = Subject("here", "sweep", "attic", observing=True)
ELSEWHERE = Subject("here", "sweep", "cellar")
OTHER_HOST = Subject("there", "sweep", "attic")


@pytest.fixture
async def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    database = Database(tmp_path / "upkeeper.db")
    await database.migrate()
    yield database
    await database.close()


async def add(
    database: Database,
    outcome: Outcome | None,
    at: float,
    *,
    acted: bool = False,
    left_breach: bool = True,
    **what: object,
) -> int:
    """A run that began and, with an outcome, ended at a time."""
    trigger = what.pop("trigger", "alert")
    asked = {"host": "here", "task": "sweep", "target": "attic", "caller": Caller(trigger), "dry_run": False}  # type: ignore[arg-type]
    request = Request(**(asked | what))  # type: ignore[arg-type]

    def store(connection):  # type: ignore[no-untyped-def]
        run_id = runs.create(connection, request, at)
        runs.begin(connection, run_id, at)
        if acted:
            runs.planned(connection, run_id, Plan(actions=[Action(kind="x", object="y", reason="z")]), at)
            runs.action_finished(connection, run_id, 0, ActionResult("done", ""), at)
        runs.verified(connection, run_id, Measurement(breached=left_breach))
        if outcome is not None:
            runs.finish(connection, run_id, outcome, "", at)
        return run_id

    return await database.write(store)


async def of(database: Database, subject: Subject) -> History:
    return (await History.gather([subject, ELSEWHERE, OTHER_HOST], Sources(database), NOW))[subject]


async def test_a_run_under_way_is_in_the_way_of_all_but_itself(database: Database) -> None:
    run_id = await add(database, None, NOW)
    assert (await of(database, ATTIC)).in_flight == run_id
    assert (await of(database, Subject("here", "sweep", "attic", run_id=run_id))).in_flight is None
    assert (await of(database, ELSEWHERE)).in_flight is None
    assert (await of(database, OTHER_HOST)).in_flight is None


async def test_runs_that_count_are_told_newest_first_with_whether_they_helped(database: Database) -> None:
    await add(database, "effective", NOW - 50)
    await add(database, "ineffective", NOW - 40)
    await add(database, "failed", NOW - 30, left_breach=False)
    await add(database, "failed", NOW - 20)
    for outcome in ("nothing-to-do", "blocked", "expired", "cancelled"):
        await add(database, outcome, NOW - 10)  # type: ignore[arg-type]
    assert (await of(database, ATTIC)).past == [
        PastRun(NOW - 20, NOW - 20, helped=False),
        PastRun(NOW - 30, NOW - 30, helped=True),
        PastRun(NOW - 40, NOW - 40, helped=False),
        PastRun(NOW - 50, NOW - 50, helped=True),
    ]
    assert (await of(database, ELSEWHERE)).past == []
    assert (await of(database, OTHER_HOST)).past == []


async def test_a_person_who_only_looks_wears_nothing_out(database: Database) -> None:
    await add(database, "failed", NOW - 20, trigger="cli")
    assert (await of(database, ATTIC)).past == []
    await add(database, "failed", NOW - 10, trigger="cli", acted=True)
    assert (await of(database, ATTIC)).past == [PastRun(NOW - 10, NOW - 10, helped=False)]


async def test_plans_count_for_a_remedy_that_only_observes(database: Database) -> None:
    await add(database, "planned", NOW - 20, dry_run=True)
    await add(database, "planned", NOW - 10, dry_run=True, trigger="cli")
    assert (await of(database, ATTIC)).past == []
    assert (await of(database, OBSERVED)).past == [PastRun(NOW - 20, NOW - 20, helped=True)]


async def test_when_a_breaker_was_closed_by_hand(database: Database) -> None:
    assert (await of(database, ATTIC)).closed_at == 0.0
    await database.write(lambda connection: holds.close_breaker(connection, "here", "sweep", "attic", COMMAND, NOW - 5))
    assert (await of(database, ATTIC)).closed_at == NOW - 5
    assert (await of(database, ELSEWHERE)).closed_at == 0.0
    assert (await of(database, OTHER_HOST)).closed_at == 0.0


async def test_the_record_itself_refuses_a_second_run_and_names_the_first(database: Database) -> None:
    def request(target: str) -> Request:
        return Request(host="here", task="sweep", target=target, caller=COMMAND, dry_run=False)

    def twice(connection):  # type: ignore[no-untyped-def]
        first = runs.create_unless_in_flight(connection, request("attic"), NOW)
        second = runs.create_unless_in_flight(connection, request("attic"), NOW)
        elsewhere = runs.create_unless_in_flight(connection, request("cellar"), NOW)
        return first, second, elsewhere

    first, second, elsewhere = await database.write(twice)
    assert first[1]
    assert second == (first[0], False)
    assert elsewhere == (first[0] + 1, True)
    assert await database.read(partial(runs.unfinished, host="here")) == [first[0], elsewhere[0]]
