"""Everything that grows is deleted after its time, and nothing that is still needed."""

from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from remediator.model.caller import Caller
from remediator.model.decision import Decision
from remediator.model.hold import Pause
from remediator.model.job import JobRecord
from remediator.store import alerts, decisions, holds, jobs, retention, runs
from remediator.store.alerts import Looked
from remediator.store.database import Database
from remediator.store.decisions import New, Repeat
from remediator.store.tables import metadata
from tests.remediator.stack import START, alert
from tests.remediator.store.test_runs import create, finish, request


async def count(database: Database, name: str) -> int:
    select = sa.select(sa.func.count()).select_from(metadata.tables[name])
    return int(await database.read(lambda connection: connection.scalar(select)) or 0)


async def test_runs_with_all_that_is_theirs(database: Database) -> None:
    old, young, never = [await create(database, request(task=task)) for task in ("old", "young", "never")]
    theirs = await create(database, request(host="cellar"))
    for run_id, at in ((old, 9.0), (young, 11.0), (theirs, 9.0)):
        await finish(database, run_id, at)
    assert list(await database.write(partial(retention.purge, host="kitchen", before=10.0))) == [old]
    assert await count(database, "runs") == 3
    assert (await database.read(partial(runs.get, run_id=never))).state == "queued"


async def test_episodes_and_what_was_decided_about_them(database: Database) -> None:
    goes_on, ended, silent = alert(room="goes on"), alert(room="ended"), alert(room="silent")
    await database.write(partial(alerts.accept, received=[(each, START) for each in (goes_on, ended, silent)]))
    found = await database.write(partial(alerts.waiting, now=START, limit=10))
    made = [New(each.id, Decision("unmatched", "no remedy matches"), None) for each in found]
    await database.write(partial(decisions.insert, host="kitchen", made=[*made, made[0]], now=START))
    await database.write(partial(alerts.settle, looked=[Looked(each, None) for each in found]))
    later = START + 100
    resolved = alert(room="ended", status="resolved")
    await database.write(partial(alerts.accept, received=[(goes_on, later), (resolved, later)]))
    latest = await database.read(partial(decisions.latest, alert_ids=[found[0].id]))
    await database.write(partial(decisions.count_repeats, repeats=[Repeat(latest[found[0].id][None].id)], now=later))
    await database.write(partial(retention.purge, host="kitchen", before=later))
    assert (await count(database, "alerts"), await count(database, "decisions")) == (1, 1)
    assert await database.read(partial(decisions.latest, alert_ids=[found[0].id])) == latest


async def test_holds_that_hold_nothing_any_more(database: Database) -> None:
    caller = Caller("cli", "pat")
    for task, until in (("lapsed", 9.0), ("lapsed lately", 11.0), ("for ever", None)):
        await database.write(partial(holds.pause, host="kitchen", hold=Pause(task, "x", 1.0, until, caller)))
    for target, at in (("long ago", 9.0), ("lately", 11.0)):
        reset = partial(holds.close_breaker, host="kitchen", task="t", target=target, caller=caller, now=at)
        await database.write(reset)
    await database.write(partial(retention.purge, host="kitchen", before=10.0))
    assert (await count(database, "pauses"), await count(database, "breaker_resets")) == (2, 1)


async def test_due_times_and_jobs_that_are_gone(database: Database) -> None:
    position = {"task": "t", "target": None, "at": "@daily", "timezone": "UTC", "since": 1.0, "handled_until": 1.0}
    for name, removed_at in (("gone", 9.0), ("gone lately", 11.0), ("there", None)):
        record = JobRecord(name=name, **position, done_until=1.0, removed_at=removed_at)  # type: ignore[arg-type]
        await database.write(partial(jobs.keep, host="kitchen", record=record))
    for due_at, state, now in ((1.0, "ran", 9.0), (2.0, "running", 9.0), (3.0, "missed", 11.0)):
        note = partial(jobs.note, host="kitchen", job="there", due_at=due_at, state=state, now=now)  # type: ignore[arg-type]
        await database.write(note)
    await database.write(partial(retention.purge, host="kitchen", before=10.0))
    assert (await count(database, "jobs"), await count(database, "due_times")) == (2, 2)


async def test_runs_of_the_schedule_that_found_nothing_to_do_go_earlier(database: Database) -> None:
    by_schedule = request(task="a", caller=Caller("schedule", "daily"))
    quiet = await create(database, by_schedule)
    young, asked = await create(database, replace(by_schedule, task="b")), await create(database, request(task="c"))
    failed = await create(database, replace(by_schedule, task="d"))
    for run_id, outcome, at in ((quiet, "nothing-to-do", 9.0), (young, "nothing-to-do", 11.0),
                                (asked, "nothing-to-do", 9.0), (failed, "failed", 9.0)):  # fmt: skip
        await database.write(partial(runs.finish, run_id=run_id, outcome=outcome, reason="", now=at))  # type: ignore[arg-type]
    purge = partial(retention.purge_uneventful, host="kitchen", tasks=["a", "b", "c", "d"], before=10.0)
    assert await database.write(purge) == 1
    with pytest.raises(LookupError):
        await database.read(partial(runs.get, run_id=quiet))
    assert await count(database, "runs") == 3


def test_no_table_is_forgotten() -> None:
    """Each is purged, or its rows go with those of one that is."""
    purged = {
        "runs",
        "alerts",
        "decisions",
        "pauses",
        "breaker_resets",
        "jobs",
        "due_times",
        "audit",
        "tokens",
        "hosts",
        "levels",
        "senders",
        "silences",
        "rollouts",
        "asks",
    }
    one_a_host = {"audit_heads"}
    with_others: set[str] = set()
    for _ in metadata.tables:  # also those of a table whose rows go so themselves
        with_others |= {
            table.name
            for table in metadata.tables.values()
            for key in table.foreign_keys
            if key.ondelete == "CASCADE" and key.column.table.name in purged | with_others
        }
    assert set(metadata.tables) == purged | with_others | one_a_host
