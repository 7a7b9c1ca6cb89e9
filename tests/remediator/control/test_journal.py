"""The journal of a host whose shared database is away: what it begins with, and that it comes home once and whole."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from remediator.config.fleet import Fleet
from remediator.control.journal import Journal, UnderWay
from remediator.control.place import Place
from remediator.decide.routing import Routing
from remediator.model.alert import ReceivedAlert
from remediator.model.caller import Caller
from remediator.model.hold import Pause
from remediator.model.job import DueTarget, JobRecord
from remediator.model.run import Request
from remediator.model.task import Plan
from remediator.statedir import StateDir
from remediator.store import alerts, approvals, audit, fleet, holds, homecoming, jobs, moving, runs, slots
from remediator.store.database import Database
from remediator.store.fleet import Arrived
from remediator.store.tables import alerts as alerts_table
from remediator.store.tables import metadata
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer

pytestmark = pytest.mark.servers

ANNA = Caller("cli", "anna")
REMEDY = Caller("alert", "tidy")
JOB = Caller("schedule", "sweep")
NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class House:
    """One host's state directory and the record that it shares with another."""

    def __init__(self, root: Path, url: str) -> None:
        self.state = StateDir(root)
        self.state.ensure()
        self.place = Place(url, "attic")
        self.record = Database(url, host="attic")
        self.clock = Clock()
        self.journal = Journal(self.state, self.place, self.clock)

    async def away(self, *, exact: bool = True) -> Database:
        """The journal, in use."""
        await self.journal.leave()
        place = await self.journal.take(exact=exact)
        assert place.journal is not None
        journal = Database(place.database, host="attic", journal=place.journal)
        await journal.migrate()
        return journal

    async def rows(self, table: str) -> list[dict[str, Any]]:
        select = sa.select(metadata.tables[table]).order_by(*metadata.tables[table].primary_key.columns)
        return await self.record.read(lambda there: [dict(row) for row in there.execute(select).mappings()])


@pytest.fixture(scope="module")
def template(postgres15: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with all tables, to be copied."""
    postgres15.sql("DROP DATABASE IF EXISTS journal_template", "CREATE DATABASE journal_template")
    database = Database(
        f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{postgres15.port}/journal_template", host="attic"
    )

    async def make() -> None:
        await database.migrate()
        await database.close()

    asyncio.run(make())
    return "journal_template"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with all tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    database = Database(path, host="attic")

    async def make() -> None:
        await database.make_tables()
        await database.close()

    asyncio.run(make())
    return path


@pytest.fixture
async def house(tmp_path: Path, postgres15: PostgresServer, template: str, tables: Path) -> AsyncIterator[House]:
    postgres15.sql("DROP DATABASE IF EXISTS journal_home", f"CREATE DATABASE journal_home TEMPLATE {template}")
    house = House(tmp_path / "attic", f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{postgres15.port}/journal_home")
    shutil.copy(tables, house.state.journal)
    await house.record.migrate()
    for name in ("attic", "cellar"):
        one = Arrived(name, "1", name, None)
        await house.record.write(lambda there, one=one: fleet.arrive(there, one, NOW))
    house.journal.follow(house.record)
    yield house
    await house.journal.leave()
    await house.record.close()


def an_alert(number: int, host: str = "attic", status: str = "firing") -> ReceivedAlert:
    labels = {"alertname": "Cluttered", "host": host, "room": f"room{number}"}
    return ReceivedAlert(
        fingerprint=f"{number:016x}",
        starts_at=NOW + number,
        ends_at=None,
        status=status,
        labels=labels,  # type: ignore[arg-type]
    )


ROUTING = Routing("attic", Fleet(host_label="host"))


def accept(there: sa.Connection, *received: ReceivedAlert) -> list[int]:
    alerts.accept(there, [(one, NOW + 10) for one in received], ROUTING)
    of = sa.select(alerts_table.c.id).where(alerts_table.c.fingerprint.in_([one.fingerprint for one in received]))
    return list(there.scalars(of.order_by(alerts_table.c.fingerprint)))


def settle(there: sa.Connection) -> None:
    """What is there has been looked at."""
    there.execute(alerts_table.update().values(decided_receptions=alerts_table.c.receptions))


def run_of(there: sa.Connection, target: str, caller: Caller, outcome: str | None = "effective", **more: Any) -> int:
    request = Request(host="attic", task="sweep", target=target, caller=caller, dry_run=False, **more)
    id, new = runs.create_unless_in_flight(there, request, NOW + 20)
    assert new
    if outcome is not None:
        assert runs.begin(there, id, NOW + 21)
        assert runs.planned(there, id, Plan(), NOW + 22)
        assert runs.finish(there, id, outcome, "", NOW + 30)  # type: ignore[arg-type]
    return id


def due(there: sa.Connection, at: float, run_id: int | None) -> None:
    number = jobs.note(there, "attic", "sweep", at, "waiting", at)
    assert number is not None
    jobs.settle(there, number, "ran", [DueTarget("hall", run_id)], outcome="effective", finished_at=at + 5)
    record = JobRecord(name="sweep", task="sweep", target="hall", at="* * * * *", timezone="UTC", since=NOW,
                       handled_until=at, done_until=at, last_run_at=at, last_outcome="effective")  # fmt: skip
    jobs.keep(there, "attic", record)


def before_it_went(there: sa.Connection) -> dict[str, int]:
    """What the record has when the database goes away."""
    (known,) = accept(there, an_alert(1))
    settle(there)
    done = run_of(there, "room1", REMEDY, alert_id=known)
    held = run_of(there, "cellar", ANNA, None)
    there.execute(metadata.tables["told"].insert().values(host="attic", way="mail", alert_id=known, said="no", at=NOW))
    holds.pause(there, "attic", Pause("vacuum", "for the night", NOW, None, ANNA))
    holds.close_breaker(there, "attic", "sweep", "room9", ANNA, NOW)
    due(there, NOW, run_of(there, "hall", JOB))
    return {"known": known, "done": done, "held": held}


def while_it_was_away(there: sa.Connection) -> dict[str, int]:
    """What the journal is given."""
    _, new, _ = accept(there, an_alert(1), an_alert(2), an_alert(3, "cellar"))
    settle(there)
    parent = run_of(there, "all", ANNA)
    child = run_of(there, "room2", REMEDY, alert_id=new, parent_id=parent)
    there.execute(
        metadata.tables["decisions"].insert().values(
            alert_id=new, host="attic", at=NOW, last_at=NOW, repeats=0, verdict="run", reason="", run_id=child)
    )  # fmt: skip
    there.execute(metadata.tables["told"].insert().values(host="attic", way="mail", alert_id=new, said="done", at=NOW))
    waits = run_of(there, "attic", ANNA, None)
    assert runs.wait(there, waits, 0)
    approvals.ask(there, waits, "attic", Plan(), "0" * 64, "it may", now=NOW, until=NOW + 9999)
    due(there, NOW + 60, run_of(there, "hall", JOB))
    holds.pause(there, "attic", Pause(None, "all of it", NOW + 40, NOW + 99, ANNA))
    assert holds.resume(there, "attic", "vacuum", ANNA, NOW + 41) == 1
    return {"new": new, "parent": parent, "child": child, "waits": waits}


async def test_it_begins_with_what_guards_go_by(house: House) -> None:
    ids = await house.record.write(before_it_went)
    assert await house.journal.copy()
    journal = await house.away()
    try:
        places = await journal.read(holds.unfinished_runs)
        assert places == {("attic", "sweep", "cellar"): [-ids["held"]]}
        past = await journal.read(lambda there: holds.past_runs(there, ("attic", "sweep", "room1")))
        assert [one.finished_at for one in past] == [NOW + 30]
        assert [one.reason for one in await journal.read(lambda there: holds.active_pauses(there, "attic", NOW))] == [
            "for the night"
        ]
        assert ("attic", "sweep", "room9") in await journal.read(holds.breakers_closed)
        tries = await journal.read(lambda there: runs.tries(there, [-ids["known"]], 0.0))
        assert [one.run_id for one in tries[-ids["known"]]] == [-ids["done"]]
        assert await journal.read(lambda there: runs.attempts(there, "attic")) == {}, "nobody goes on with it here"
        assert await journal.read(lambda there: alerts.waiting(there, NOW + 99, 9, "attic")) == []
        assert await journal.read(lambda there: slots.rivals(there, "attic")) == []
        (known,) = (await journal.read(lambda there: jobs.records(there, "attic"))).values()
        assert (known.handled_until, known.last_run_at) == (NOW, NOW)
    finally:
        await journal.close()


async def test_a_run_that_begins_is_known_before_the_next_copy(house: House) -> None:
    assert await house.journal.copy()
    begun = await house.record.write(lambda there: run_of(there, "room4", REMEDY, None))
    await house.journal.hold(begun)
    assert not house.journal.exact, "the record has more than that"
    journal = await house.away(exact=False)
    assert await journal.read(holds.unfinished_runs) == {("attic", "sweep", "room4"): [-begun]}
    await journal.close()


async def test_where_it_cannot_know_due_times_are_left_to_the_record(house: House) -> None:
    await house.record.write(before_it_went)
    assert await house.journal.copy()
    journal = await house.away(exact=False)
    (known,) = (await journal.read(lambda there: jobs.records(there, "attic"))).values()
    assert known.handled_until > NOW
    await journal.write(lambda there: due(there, NOW + 3600, None))
    await journal.close()
    await house.journal.bring_home(house.record)
    (home,) = (await house.record.read(lambda there: jobs.records(there, "attic"))).values()
    assert (home.handled_until, home.last_run_at) == (NOW, NOW + 3600)
    assert await house.record.read(lambda there: jobs.taken(there, "attic", NOW)) == {"sweep": {NOW + 3600}}


async def all_of_it(house: House) -> tuple[dict[str, int], dict[str, int]]:
    """Both parts, with what the record is given by others in between."""
    before = await house.record.write(before_it_went)
    assert await house.journal.copy()
    journal = await house.away()
    away = await journal.write(while_it_was_away)
    await journal.close()

    def others(there: sa.Connection) -> None:
        """Another host has received two of the alerts as well."""
        accept(there, an_alert(2), an_alert(3, "cellar"))
        run_of(there, "room7", Caller("api", "operator"), None)

    await house.record.write(others)
    return before, away


async def is_home(house: House, before: dict[str, int], away: dict[str, int]) -> None:
    """All of it is in the record, once."""
    assert not house.state.journal.exists()
    found = {row["target"]: row for row in await house.rows("runs")}
    assert len(found) == len(await house.rows("runs")) - 1, "the hall was swept twice, and nothing else"
    assert {name: found[name]["id"] for name in ("all", "room2", "attic", "room1", "cellar")} == {
        "all": away["parent"], "room2": away["child"], "attic": away["waits"], "room1": before["done"],
        "cellar": before["held"],
    }  # fmt: skip
    assert found["room2"]["parent_id"] == away["parent"]
    assert (found["attic"]["state"], found["cellar"]["state"], found["room7"]["state"]) == (
        "waiting", "queued", "queued",
    )  # fmt: skip
    episodes = {row["fingerprint"]: row for row in await house.rows("alerts")}
    first, second, third = (episodes[f"{number:016x}"] for number in (1, 2, 3))
    assert len(episodes) == 3
    assert [row["host"] for row in (first, second, third)] == ["attic", "attic", "cellar"]
    assert found["room2"]["alert_id"] == second["id"]
    waiting = await house.record.read(lambda there: alerts.waiting(there, NOW + 99, 9, "attic"))
    assert waiting == [], "what was decided about on the journal is not decided about again"
    assert [one.id for one in await house.record.read(lambda there: alerts.waiting(there, NOW, 9, "cellar"))] == [
        third["id"]
    ]
    assert [row["alert_id"] for row in await house.rows("decisions")] == [second["id"]]
    assert [row["alert_id"] for row in await house.rows("told")] == [first["id"], second["id"]]
    assert [(row["run_id"], row["state"]) for row in await house.rows("approvals")] == [(away["waits"], "asked")]
    assert [row["due_at"] for row in await house.rows("due_times")] == [NOW, NOW + 60]
    assert [row["handled_until"] for row in await house.rows("jobs")] == [NOW + 60]
    assert [(row["task"], row["reason"]) for row in await house.rows("pauses")] == [(None, "all of it")]
    heads = await house.rows("audit_heads")
    own, chain = (row["host"] for row in heads)
    assert (own, chain.startswith("attic/journal/")) == ("attic", True)
    for name in (own, chain):
        assert await house.record.read(lambda there, name=name: moving.faults_of(there, name)) == []
    records = await house.record.read(lambda there: audit.records(there, "attic"))
    (brought,) = [record for record in records if record.kind == "journal.brought"]
    end = await house.record.read(lambda there: audit.head(there, chain))
    assert end is not None
    assert f'"chain":"{chain}"' in brought.body
    assert end.hash in brought.body
    first_ones = await house.record.read(lambda there: audit.records(there, chain, limit=2))
    assert [record.kind for record in first_ones] == ["chain.begun", "journal.begun"]
    number = next(record for record in records if record.hash in first_ones[1].body).number
    assert f'"number":{number}' in first_ones[1].body


class Killed(Exception):
    """The process is killed here."""


async def test_killed_at_any_statement_it_comes_home_once(house: House) -> None:
    before, away = await all_of_it(house)
    engine = house.record._backend._writer  # type: ignore[attr-defined]
    left = 0

    def kill(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    sa.event.listen(engine, "before_cursor_execute", kill)
    kills = 0
    while True:
        kills += 1
        left = kills
        # The process that is started again.
        journal = Journal(house.state, house.place, house.clock)
        try:
            await journal.bring_home(house.record)
            break
        except Killed:
            if kills % 8 == 1:
                assert len(await house.rows("audit_heads")) == 1, "nothing of it is there"
                with pytest.raises(LookupError, match="may be in the database already"):
                    await journal.take(exact=False)
    assert kills > 20
    await is_home(house, before, away)


async def test_killed_between_the_record_and_the_file_it_comes_home_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, away = await all_of_it(house)

    def killed(self: Journal) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_remove", killed)
        with pytest.raises(Killed):
            await house.journal.bring_home(house.record)
    assert house.state.journal.exists()
    # If the database goes away just now, what the record has already is not gone on with.
    with pytest.raises(LookupError, match="may be in the database already"):
        await house.journal.take(exact=False)
    await Journal(house.state, house.place, house.clock).bring_home(house.record)
    await is_home(house, before, away)


async def test_what_is_under_way_is_waited_for_and_what_others_began_goes_first(house: House) -> None:
    assert await house.journal.copy()
    journal = await house.away()
    acting = await journal.write(lambda there: run_of(there, "attic", REMEDY, None))
    waits = await journal.write(lambda there: run_of(there, "hall", ANNA, None))

    def more(there: sa.Connection) -> None:
        assert runs.begin(there, acting, NOW)
        assert runs.wait(there, waits, 0)
        approvals.ask(there, waits, "attic", Plan(), "0" * 64, "it may", now=NOW, until=NOW + 9999)

    await journal.write(more)
    with pytest.raises(UnderWay):
        await house.journal.bring_home(house.record)
    await journal.write(lambda there: runs.finish(there, acting, "effective", "", NOW + 5))
    await journal.close()
    rival = await house.record.write(lambda there: run_of(there, "hall", ANNA, None))
    await house.journal.bring_home(house.record)
    found = {row["id"]: (row["state"], row["outcome"]) for row in await house.rows("runs")}
    assert found == {
        acting: ("finished", "effective"), waits: ("finished", "cancelled"), rival: ("queued", None),
    }  # fmt: skip
    assert [row["state"] for row in await house.rows("approvals")] == ["cancelled"]


async def test_what_had_not_begun_and_was_done_on_the_journal_is_not_done_again(house: House) -> None:
    house.clock.now = NOW + 18
    assert await house.journal.copy()
    # Stored when the database went, before a copy could be made: the process was killed then.
    stored = await house.record.write(lambda there: run_of(there, "room2", REMEDY, None))
    by_hand = await house.record.write(lambda there: run_of(there, "room3", ANNA, None))
    journal = await house.away(exact=False)
    for target in ("room2", "room3"):
        await journal.write(lambda there, target=target: run_of(there, target, REMEDY))
    await journal.close()
    await house.journal.bring_home(house.record)
    found = {row["id"]: (row["state"], row["reason"]) for row in await house.rows("runs")}
    (state, reason) = found[stored]
    assert (state, reason.endswith("did it while the database was away")) == ("finished", True)
    assert found[by_hand] == ("queued", ""), "a person asked for it"


async def test_one_that_was_changed_is_kept_and_the_host_goes_on(house: House) -> None:
    assert await house.journal.copy()
    journal = await house.away()
    await journal.write(lambda there: run_of(there, "room2", REMEDY))

    def change(there: sa.Connection) -> None:
        there.execute(sa.text("DROP TRIGGER audit_forbidden_1"))
        there.execute(sa.text("UPDATE audit SET body = '{}' WHERE number = 3"))

    await journal.write(change)
    await journal.close()
    await house.journal.bring_home(house.record)
    assert await house.rows("runs") == []
    assert [path.name.partition(".kept-")[0] for path in house.state.root.glob("journal.db.kept-*")] == ["journal.db"]
    kinds = [row["kind"] for row in await house.rows("audit")]
    assert kinds[-1] == "journal.kept"


def test_of_each_table_it_is_known_what_comes_home() -> None:
    """A new one is to be brought home, and copied if guards, the schedule or repeats go by it; or it is to stay."""
    assert set(metadata.tables.values()) == homecoming.BROUGHT | homecoming.LEFT
