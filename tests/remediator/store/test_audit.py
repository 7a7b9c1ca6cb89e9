"""The audit in either database: nothing is stored without its record, and nothing changes one."""

import asyncio
import json
import multiprocessing
import os
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from remediator.audit.record import Entry, Record
from remediator.audit.verify import Chain
from remediator.config.remedies import Remedy
from remediator.model.caller import Caller
from remediator.model.decision import Decision, Selection
from remediator.model.hold import Pause
from remediator.model.run import ActionResult
from remediator.model.task import Action, Measurement, Plan
from remediator.store import alerts, audit, decisions, holds, runs
from remediator.store.database import Database
from remediator.store.tables import audit as table
from remediator.store.tables import audit_heads
from tests.helpers import wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import alert
from tests.remediator.store.conftest import SHARED, Open, Place
from tests.remediator.store.test_runs import request

PAT = Caller("cli", "pat")


def entry(number: int, at: float = 10.0) -> Entry:
    return Entry("pause.set", at, PAT, {"number": number, "ratio": 0.1, "name": "caf\u00e9 \0 \U0001f600"})


async def chain_of(database: Database, host: str = "kitchen") -> list[Record]:
    return await database.read(lambda connection: list(audit.chain(connection, host)))


async def faults(database: Database, host: str = "kitchen") -> Sequence[str]:
    chain = Chain(host)
    chain.take(await chain_of(database, host))
    return chain.end(await database.read(partial(audit.head, host=host)))


async def kinds(database: Database) -> list[str]:
    return [record.kind for record in await chain_of(database)]


async def test_a_chain_begins_with_a_record_that_says_so(database: Database) -> None:
    (first,) = await chain_of(database)
    assert (first.number, first.kind, first.trigger) == (1, "chain.begun", "service")
    assert json.loads(first.body)["older"] == {"alerts": 0, "decisions": 0, "runs": 0}
    assert await faults(database) == []


async def test_records_follow_one_another_across_transactions(database: Database) -> None:
    for start in (0, 3, 6):
        entries = [entry(number) for number in range(start, start + 3)]
        await database.write(lambda connection, these=entries: audit.append(connection, "kitchen", *these))  # type: ignore[misc]
    records = await chain_of(database)
    assert [record.number for record in records] == list(range(1, 11))
    assert [json.loads(record.body).get("number") for record in records[1:]] == list(range(9))
    assert await faults(database) == []


async def test_what_is_undone_leaves_no_record(database: Database) -> None:
    def half(connection: sa.Connection) -> None:
        audit.append(connection, "kitchen", entry(1))
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await database.write(half)
    await database.write(lambda connection: audit.append(connection, "kitchen", entry(2)))
    assert [record.number for record in await chain_of(database)] == [1, 2]
    assert await faults(database) == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (table.update().values(caller="mallory"), "audit records are not changed"),
        (table.update().where(table.c.number == 1).values(number=99), "audit records are not changed"),
        (table.delete(), "deleted only as far as a record of it says"),
        (table.delete().where(table.c.number == 3), "deleted only as far as a record of it says"),
        (audit_heads.update().values(number=1), "only goes forward"),
        (audit_heads.update().values(deleted=99), "only goes forward"),
        (audit_heads.update().values(host="cellar"), "only goes forward"),
        (audit_heads.delete(), "is not deleted"),
    ],
)
async def test_the_database_itself_refuses_to_change_records(
    database: Database, statement: sa.UpdateBase, says: str
) -> None:
    await database.write(lambda connection: audit.append(connection, "kitchen", entry(1), entry(2)))
    with pytest.raises(sa.exc.IntegrityError, match=says):
        await database.write(lambda connection: connection.execute(statement))
    assert await faults(database) == []


@pytest.mark.parametrize("place", SHARED, indirect=True)
@pytest.mark.parametrize("name", ["audit", "audit_heads"])
async def test_a_shared_database_refuses_to_be_emptied(database: Database, name: str) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="audit records are not changed"):
        await database.write(lambda connection: connection.execute(sa.text(f"TRUNCATE {name}")))


async def test_a_shortened_chain_is_still_proven(database: Database) -> None:
    entries = [entry(number, at=1000.0 + number) for number in range(20)]
    await database.write(lambda connection: audit.append(connection, "kitchen", *entries))
    before = await chain_of(database)
    old = partial(audit.shorten, host="kitchen", older_than=1005.0, now=2000.0)
    assert await database.write(old) == 0, "the first record is younger: it has the clock of the machine"
    long_ago = partial(audit.shorten, host="kitchen", now=2000.0)
    assert await database.write(partial(long_ago, older_than=before[0].at / 1000 + 1)) == 20
    after = await chain_of(database)
    assert [record.number for record in after] == [21, 22]
    assert json.loads(after[-1].body) == {"deleted_through": 20, "hash": before[19].hash, "deleted": 20}
    assert await faults(database) == []
    await database.write(lambda connection: audit.append(connection, "kitchen", entry(1)))
    assert await database.write(partial(long_ago, older_than=1.0)) == 0
    assert await faults(database) == []


async def test_a_chain_is_shortened_a_part_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "DELETED_AT_ONCE", 4)
    await database.write(lambda connection: audit.append(connection, "kitchen", *map(entry, range(9))))
    shorten = partial(audit.shorten, host="kitchen", older_than=1e11, now=2e9)
    deleted = [await database.write(shorten) for _ in range(3)]
    assert deleted == [4, 4, 3], "ten records, and those of the shortenings; the newest stays"
    assert await faults(database) == []


async def test_writers_of_one_chain_never_take_the_same_place(open_for: Open) -> None:
    writers = [await open_for("kitchen") for _ in range(3)]

    async def write(database: Database) -> None:
        for number in range(20):
            await database.write(lambda connection, n=number: audit.append(connection, "kitchen", entry(n)))  # type: ignore[misc]

    await asyncio.gather(*(write(database) for database in writers))
    assert len(await chain_of(writers[0])) == 61
    assert await faults(writers[0]) == []


@pytest.mark.parametrize("place", SHARED, indirect=True)
async def test_hosts_that_share_a_database_have_a_chain_each(open_for: Open) -> None:
    hosts = {name: await open_for(name) for name in ("kitchen", "cellar")}

    async def write(name: str) -> None:
        for number in range(20):
            await hosts[name].write(lambda connection, n=number: audit.append(connection, name, entry(n)))  # type: ignore[misc]

    await asyncio.gather(*map(write, hosts))
    for name, database in hosts.items():
        assert len(await chain_of(database, name)) == 21
        assert await faults(database, name) == []
    assert await hosts["kitchen"].read(audit.hosts) == ["cellar", "kitchen"]


def _write_on(place: Place) -> None:
    """Records pauses, each with its row, until it is killed."""

    async def on() -> None:
        database = Database(place, host="kitchen")
        await database.migrate()
        for number in range(100_000):
            pause = Pause(f"{os.getpid()}-{number}", "moving house", 1.0, None, PAT)
            await database.write(partial(holds.pause, host="kitchen", hold=pause))

    asyncio.run(on())


async def test_a_process_killed_in_the_middle_leaves_a_whole_chain(place: Place, open_for: Open) -> None:
    database = await open_for("kitchen")
    spawn = multiprocessing.get_context("spawn")
    for _ in range(3):
        before = len(await chain_of(database))
        process = spawn.Process(target=_write_on, args=(place,))
        process.start()
        assert process.pid is not None

        async def went_on(than: int = before) -> bool:
            return len(await chain_of(database)) > than + 5

        await wait_until(went_on, what="the process to record something")
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.join)
        assert await faults(database) == []
    pauses = await database.read(partial(holds.active_pauses, host="kitchen", now=2.0))
    assert len(pauses) == (await kinds(database)).count("pause.set"), "there is no pause without its record"


async def test_a_run_is_recorded_step_by_step_with_what_was_before_and_after(database: Database) -> None:
    action = Action(kind="remove", object="f1", reason="old", estimated_bytes=12)

    def whole(connection: sa.Connection) -> int:
        run_id = runs.create(connection, request("kitchen"), 1.0)
        runs.begin(connection, run_id, 2.0)
        runs.measured(connection, run_id, Measurement(breached=True, values={"used": 12.5}))
        runs.planned(connection, run_id, Plan(actions=[action]), 4.0)
        runs.action_started(connection, run_id, 0, 5.0)
        runs.action_finished(connection, run_id, 0, ActionResult("done", "gone", 12), 6.0)
        runs.verified(connection, run_id, Measurement(breached=False))
        assert runs.finish(connection, run_id, "effective", "it helped", 8.0)
        assert not runs.finish(connection, run_id, "failed", "too late", 9.0)
        return run_id

    run_id = await database.write(whole)
    _, *found = await chain_of(database)
    bodies = {record.kind: json.loads(record.body) for record in found}
    assert list(bodies) == ["run.asked", "run.planned", "action.started", "action.finished", "run.finished"]
    assert {record.run_id for record in found} == {run_id}
    assert bodies["run.planned"]["before"]["values"] == {"used": "12.5"}
    assert bodies["run.planned"]["actions"] == 1
    assert bodies["action.started"]["action"]["object"] == "f1"
    assert bodies["action.finished"] == {"position": 0, "state": "done", "detail": "gone", "freed_bytes": 12}
    finished = bodies["run.finished"]
    assert (finished["outcome"], finished["reason"], finished["after"]["breached"]) == ("effective", "it helped", False)
    assert await faults(database) == []


async def test_holds_are_recorded_with_who_asked_for_them(database: Database) -> None:
    await database.write(partial(holds.pause, host="kitchen", hold=Pause("t", "moving", 1.0, 61.0, PAT)))
    resume = partial(holds.resume, host="kitchen", caller=Caller("api", "sam"), now=2.0)
    assert await database.write(partial(resume, task="t")) == 1
    assert await database.write(partial(resume, task="t")) == 0
    await database.write(partial(holds.close_breaker, host="kitchen", task="t", target="x", caller=PAT, now=3.0))
    _, *found = await chain_of(database)
    assert [(each.kind, each.caller) for each in found] == [
        ("pause.set", "pat"),
        ("pause.ended", "sam"),
        ("breaker.closed", "pat"),
    ]
    assert json.loads(found[0].body) == {"task": "t", "reason": "moving", "seconds": 60}


async def test_decisions_that_say_the_same_share_a_record_and_those_with_a_run_have_their_own(
    database: Database,
) -> None:
    remedy = Remedy.model_validate(REMEDY)

    def decide(connection: sa.Connection) -> None:
        alerts.accept(connection, [(alert(room=str(number)), 1.0) for number in range(4)])
        run_id = runs.create(connection, request("kitchen"), 1.0)
        run = Decision("run", "it is time", Selection(remedy, "x"))
        unmatched = Decision("unmatched", "no remedy matches")
        made = [decisions.New(number, unmatched, None) for number in (1, 2, 3)]
        decisions.insert(connection, "kitchen", [decisions.New(4, run, run_id), *made], 2.0)

    await database.write(decide)
    found = [record for record in await chain_of(database) if record.kind == "decision"]
    assert [(record.alert_id, record.run_id, json.loads(record.body)["verdict"]) for record in found] == [
        (4, 1, "run"),
        (None, None, "unmatched"),
    ]
    assert json.loads(found[1].body)["alerts"] == [1, 2, 3]


async def test_a_renamed_machine_begins_a_chain_that_says_where_the_other_ended(tmp_path: Path) -> None:
    for host in ("kitchen", "hall"):
        database = Database(tmp_path / "upkeeper.db", host=host)
        await database.migrate()
        if host == "kitchen":
            await database.write(partial(holds.pause, host=host, hold=Pause("t", "moving", 1.0, None, PAT)))
            end = await database.read(partial(audit.head, host=host))
        else:
            assert await faults(database, "kitchen") == []
            assert await faults(database, "hall") == []
            begun, renamed = await chain_of(database, "hall")
            assert (begun.kind, renamed.kind) == ("chain.begun", "host.renamed")
            assert end is not None
            assert json.loads(renamed.body) == {"former": [{"host": "kitchen", "number": end.number, "hash": end.hash}]}
        await database.close()
