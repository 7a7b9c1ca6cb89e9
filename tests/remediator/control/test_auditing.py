"""The service verifies its audit: what is new from time to time, all of it once a day."""

from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from remediator.audit.record import Entry
from remediator.control.auditing import WHOLE_INTERVAL, Auditing
from remediator.model.caller import Caller
from remediator.model.errors import NoRoom
from remediator.store import audit
from remediator.store.database import Database
from tests.remediator.stack import START, Clock
from tests.remediator.store.test_audit import chain_of, entry


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "upkeeper.db"


@pytest.fixture
async def database(place: Path):  # type: ignore[no-untyped-def]
    found = Database(place, host="kitchen")
    await found.migrate()
    yield found
    await found.close()


async def write(database: Database, count: int = 3) -> None:
    await database.write(lambda connection: audit.append(connection, "kitchen", *map(entry, range(count))))


async def force(database: Database, statement: str) -> None:
    """What somebody with the rights of the database does: the triggers go first."""

    def work(connection: sa.Connection) -> None:
        names = connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
        for name in names:
            connection.execute(sa.text(f"DROP TRIGGER {name}"))
        connection.execute(sa.text(statement))

    await database.write(work)


async def test_what_is_new_is_verified_from_where_it_was(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "READ_AT_ONCE", 4)
    auditing = Auditing(database, Clock(START))
    await write(database, 10)
    with structlog.testing.capture_logs() as logs:
        assert await auditing.verify() == []
    head = (await chain_of(database))[-1]
    assert {"event": "audit verified", "log_level": "info", "host": "kitchen",
            "records": 11, "head": head.hash} in logs  # fmt: skip
    read: list[int] = []
    page = audit.page
    monkeypatch.setattr(audit, "page", lambda c, host, after: read.append(after) or page(c, host, after))
    await write(database, 2)
    assert await auditing.verify() == []
    assert read == [11], "nothing is read twice"
    assert auditing.verified_at == START


@pytest.mark.parametrize(
    ("statement", "at_once", "fault"),
    [
        ("UPDATE audit SET caller = 'mallory' WHERE number = 3", False, "record 3 is not what was recorded"),
        ("DELETE FROM audit WHERE number = 3", False, "record 3 is missing"),
        ("UPDATE audit SET body = '{}' WHERE number = 7", True, "record 7 is not what was recorded"),
        ("DELETE FROM audit WHERE number = 7", True, "it ends with record 6 and not with 7:"),
        ("DELETE FROM audit", True, "all of its 7 records are missing"),
        ("UPDATE audit_heads SET number = 9", True, "it ends with record 7 and not with 9:"),
        ("DELETE FROM audit WHERE number < 4", False, "records before 4 are missing"),
    ],
)
async def test_what_was_done_to_the_chain_is_found_within_a_day(
    database: Database, statement: str, at_once: bool, fault: str
) -> None:
    clock = Clock(START)
    auditing = Auditing(database, clock)
    await write(database, 6)
    assert await auditing.verify() == []
    await force(database, statement)
    clock.now += 3600
    assert bool(await auditing.verify()) is at_once
    clock.now += WHOLE_INTERVAL
    with structlog.testing.capture_logs() as logs:
        assert (await auditing.verify())[0].startswith(fault)
    assert [line["event"] for line in logs] == ["the audit is broken"]
    assert auditing.verified_at == START + (0 if at_once else 3600)


async def test_an_end_that_was_cut_off_is_found_though_the_chain_went_on(database: Database) -> None:
    """What is recorded after that takes the numbers of what was there, and the chain is whole again by itself."""
    auditing = Auditing(database, Clock(START))
    await write(database, 5)
    assert await auditing.verify() == []
    fourth = (await chain_of(database))[3]
    await force(database, "DELETE FROM audit WHERE number > 4")
    await force(database, f"UPDATE audit_heads SET number = 4, hash = '{fourth.hash}'")
    await write(database, 2)
    (fault,) = await auditing.verify()
    assert fault.startswith("no record is 6:")
    assert await auditing.verify() == [fault]
    assert await Auditing(database, Clock(START)).verify() == [], "another process has not seen it"


async def test_retention_in_the_middle_of_reading_is_no_fault(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "READ_AT_ONCE", 4)
    await write(database, 20)
    auditing = Auditing(database, Clock(START))
    page, shortened = audit.page, False

    async def shorten() -> None:
        await database.write(partial(audit.shorten, host="kitchen", older_than=1e11, now=START))

    read = database.read

    async def read_and_shorten(work):  # type: ignore[no-untyped-def]
        nonlocal shortened
        found = await read(work)
        if getattr(work, "func", None) is page and not shortened:
            shortened = True
            await shorten()
        return found

    monkeypatch.setattr(database, "read", read_and_shorten)
    assert await auditing.verify() == []
    assert shortened


async def test_what_could_not_be_noted_is_noted_later(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    auditing = Auditing(database, Clock(START))
    write = database.write

    async def full(work):  # type: ignore[no-untyped-def]
        raise NoRoom("the disk is full")

    monkeypatch.setattr(database, "write", full)
    await auditing.note(Entry("config.loaded", START, Caller("cli", "pat")))
    monkeypatch.setattr(database, "write", write)
    await auditing.note(Entry("config.loaded", START + 1))
    assert [record.at for record in (await chain_of(database))[1:]] == [int(START * 1000), int(START * 1000) + 1000]
