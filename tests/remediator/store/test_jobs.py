"""Jobs and their due times: none is stored twice, each host has its own, and what is open is found again."""

import asyncio
from dataclasses import replace
from functools import partial

from remediator.model.job import DueTarget, JobRecord
from remediator.store import hosts, jobs
from remediator.store.database import Database
from tests.remediator.store.conftest import Open

RECORD = JobRecord(
    name="daily", task="sweep", target=None, at="0 2 * * *", timezone="Europe/Berlin",
    since=1.0, handled_until=2.0, done_until=1.0,
)  # fmt: skip


async def note(database: Database, due_at: float, state: str = "waiting", **more: object) -> int | None:
    one = partial(jobs.note, host=database.host, job="daily", due_at=due_at, state=state, now=100.0, **more)  # type: ignore[arg-type]
    return await database.write(one)


async def test_a_position_is_stored_and_replaced(database: Database) -> None:
    await database.write(partial(jobs.keep, host="kitchen", record=RECORD))
    moved = replace(RECORD, handled_until=9.0, missed=2**40, last_outcome="effective")
    await database.write(partial(jobs.keep, host="kitchen", record=moved))
    assert await database.read(partial(jobs.records, host="kitchen")) == {"daily": moved}
    assert await database.read(partial(jobs.records, host="cellar")) == {}


async def test_a_due_time_is_stored_once_however_many_try(database: Database, open_for: Open) -> None:
    other = await open_for("kitchen")
    numbers = await asyncio.gather(*(note(each, 50.0) for each in (database, other) * 5))
    assert sum(number is not None for number in numbers) == 1


async def test_what_is_open_is_found_until_it_is_settled(database: Database) -> None:
    number = await note(database, 50.0, reason="late", give_up_at=70.0)
    assert number is not None
    (due,) = await database.read(partial(jobs.open_ones, host="kitchen"))
    assert (due.id, due.due_at, due.first_due_at, due.reason, due.give_up_at) == (number, 50.0, 50.0, "late", 70.0)
    targets = [DueTarget("attic", 7), DueTarget("cellar", None, "paused", "moving house")]
    await database.write(partial(jobs.settle, number=number, state="running", targets=targets))
    (due,) = await database.read(partial(jobs.open_ones, host="kitchen"))
    assert (due.state, due.targets, due.run_ids, due.reason) == ("running", targets, [7], "late")
    await database.write(
        partial(jobs.settle, number=number, state="ran", targets=targets, outcome="failed", finished_at=80.0)
    )
    assert await database.read(partial(jobs.open_ones, host="kitchen")) == []
    (due,) = await database.read(partial(jobs.history, host="kitchen", job="daily", since=0, until=99, limit=9))
    assert (due.state, due.outcome, due.finished_at) == ("ran", "failed", 80.0)


async def test_what_was_missed_holds_no_time_back_and_can_be_taken_back(database: Database) -> None:
    await note(database, 50.0, "ran")
    await note(database, 90.0, "missed", first_due_at=60.0, count=4)
    assert await database.read(partial(jobs.taken, host="kitchen", after=40.0)) == {"daily": {50.0}}
    assert list(await database.read(partial(jobs.missed_after, host="kitchen", now=75.0))) == [("daily", 60.0, 90.0)]
    await database.write(partial(jobs.shorten, host="kitchen", job="daily", due_at=90.0, left=(70.0, 2)))
    inside = partial(jobs.history, host="kitchen", job="daily", since=65.0, until=66.0, limit=9)
    (due,) = await database.read(inside)
    assert (due.first_due_at, due.due_at, due.count) == (60.0, 70.0, 2)
    await database.write(partial(jobs.shorten, host="kitchen", job="daily", due_at=70.0, left=None))
    assert await database.read(inside) == []


async def test_a_renamed_machine_keeps_its_jobs(database: Database, open_for: Open) -> None:
    await database.write(partial(jobs.keep, host="kitchen", record=RECORD))
    await note(database, 50.0)
    await database.write(partial(jobs.keep, host="parlour", record=RECORD))
    await database.write(partial(jobs.note, host="parlour", job="daily", due_at=50.0, state="ran", now=100.0))
    await database.write(partial(hosts.adopt, host="attic", now=200.0))
    assert await database.read(partial(jobs.records, host="attic")) == {"daily": RECORD}
    found = partial(jobs.history, host="attic", job="daily", since=0, until=99, limit=9)
    assert [each.state for each in await database.read(found)] == ["ran"]
