"""One database of a set into a new one of its server: all that was in it, or nothing at all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remediator.model.task import Effect, Plan, TaskError
from remediator.tasks.restore import into_database
from remediator.tasks.restore.into_database import Database
from remediator.tasks.restore.task import Restore
from tests.postgres_server import PASSWORD, PostgresServer
from tests.remediator.tasks.backup.series import made, series, task
from tests.remediator.tasks.backup.test_postgres import CONTENT, DATABASE, House

pytestmark = pytest.mark.servers
NEW = "new; \"one'"
PART = f"postgres:main/{DATABASE}"


class Estate(House):
    """A server whose database is in a set."""

    new: Path

    def restore(self, **changes: Any) -> Restore:
        return Restore([series(self.sets, {"postgres": ["main"]})], [self.settings(**changes)])

    def names(self) -> set[str]:
        return {name for (name,) in self.server.sql("SELECT datname FROM pg_database")}


@pytest.fixture
async def estate(postgres15: PostgresServer, tmp_path: Path) -> AsyncIterator[Estate]:
    """Every version's dump is loaded by the tests of the proof ``restored``."""
    password, sets = tmp_path / "password", tmp_path / "sets"
    password.write_text(PASSWORD)
    sets.mkdir()
    quoted = DATABASE.replace('"', '""')
    postgres15.sql(f'CREATE DATABASE "{quoted}"')
    made_here = Estate(postgres15, sets, password)
    try:
        postgres15.psql(CONTENT, DATABASE)
        made_here.new = await made(made_here.task(), sets)
        yield made_here
    finally:
        new = NEW.replace('"', '""')
        postgres15.sql(f'DROP DATABASE "{quoted}" WITH (FORCE)', f'DROP DATABASE IF EXISTS "{new}" WITH (FORCE)')
        postgres15.sql('DROP ROLE IF EXISTS "odd; role"')


async def applied(restore: Restore, plan: Plan) -> list[Effect]:
    return [await restore.apply("pa", action) for action in plan.actions]


async def test_a_database_comes_back_beside_the_one_that_is_there(estate: Estate) -> None:
    restore = estate.restore()
    before = estate.names()
    plan = await restore.plan("pa", {"only": PART, "to": NEW})
    assert [(action.kind, action.object) for action in plan.actions] == [
        ("check-set", estate.new.name),
        ("make-database", NEW),
    ]
    assert estate.names() == before, "a plan changes nothing"
    first = await applied(restore, plan)
    assert first[1].detail == "1070 rows, as many as were backed up"
    assert estate.facts(NEW) == estate.facts(DATABASE)
    owners = "SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE relname = 'names'"
    assert estate.server.sql(owners, dbname=NEW) == [("odd; role",)]
    assert (await applied(restore, plan))[1].detail == "it is there", "done twice, the second changes nothing"
    with pytest.raises(TaskError, match=r"PostgreSQL main has a database new; .* already; choose another name"):
        await restore.plan("pa", {"only": PART, "to": NEW})
    with pytest.raises(TaskError, match="has a database postgres already"):
        await restore.plan("pa", {"only": PART, "to": "postgres"})


@pytest.fixture
async def estate15(postgres15: PostgresServer, tmp_path: Path) -> AsyncIterator[Estate]:
    password, sets = tmp_path / "password", tmp_path / "sets"
    password.write_text(PASSWORD)
    sets.mkdir()
    postgres15.sql("CREATE DATABASE small", "CREATE ROLE goes")
    postgres15.sql("CREATE TABLE t AS SELECT 1 AS x", "ALTER TABLE t OWNER TO goes", dbname="small")
    made_here = Estate(postgres15, sets, password)
    make = {"postgres": [{"server": "main", "databases": ["small"]}]}
    made_here.new = await made(task(series(sets, make), [made_here.settings()]), sets)
    postgres15.sql("DROP DATABASE small", "DROP ROLE goes")
    yield made_here
    postgres15.sql("DROP DATABASE IF EXISTS small WITH (FORCE)", "DROP ROLE IF EXISTS goes")


SMALL = {"only": "postgres:main/small", "to": "small"}


async def test_nothing_is_left_of_what_failed(estate15: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    restore, before = estate15.restore(), estate15.names()
    plan = await restore.plan("pa", SMALL)
    assert plan.notes == [
        "1 role of the set are not on the server, such as goes: all will belong to admin, without grants. "
        "To have them, run globals.sql first."
    ]
    with monkeypatch.context() as patch:
        patch.setattr(into_database, "database_facts", lambda connection: {**_facts(connection), "rows": {}})
        with pytest.raises(
            TaskError, match=r"what was restored is not what was backed up: the table public\.t is missing"
        ):
            await applied(restore, plan)
    assert estate15.names() == before
    dump = estate15.new / "postgres" / "main" / "small.dump"
    data = dump.read_bytes()
    dump.write_bytes(data[:-1] + b"?")
    for action in plan.actions:
        with pytest.raises(
            TaskError, match=r"is damaged: postgres/main/small\.dump has another content; nothing of it"
        ):
            await restore.apply("pa", action)
    assert estate15.names() == before
    dump.write_bytes(data)
    await applied(restore, plan)
    assert estate15.server.sql("SELECT x FROM t", dbname="small") == [(1,)]


class Killed(Exception):
    """Ends a run where it is."""


_facts = into_database.database_facts


async def test_an_interrupted_one_is_made_anew(estate15: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a kill leaves it: there, marked, and half loaded."""
    restore = estate15.restore()
    plan = await restore.plan("pa", SMALL)

    def killed(*args: object) -> None:
        estate15.server.sql("CREATE TABLE half (x int)", dbname="small")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_load", killed)
        patch.setattr(Database, "_drop", lambda *args: None)
        with pytest.raises(Killed):
            await restore.apply("pa", plan.actions[1])
    again = await restore.plan("pa", SMALL)
    assert "small is there, unfinished, from a run that was interrupted: it is made anew." in again.notes
    await applied(restore, again)
    assert estate15.server.sql("SELECT count(*) FROM pg_class WHERE relname = 'half'", dbname="small") == [(0,)]


async def test_what_cannot_go_into_it_is_refused_before(estate15: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match=r"'small' is the name of a database.*a directory has a slash, as in \./small"):
        await estate15.restore().plan("pa", {"to": "small"})
    with pytest.raises(TaskError, match="main is no server of `postgres:` any more"):
        await Restore([series(estate15.sets, {"postgres": ["main"]})]).plan("pa", SMALL)
    estate15.password.write_text("wrong")
    with pytest.raises(TaskError, match=r"password authentication failed.*correct the password in"):
        await estate15.restore().plan("pa", SMALL)
    estate15.password.write_text(PASSWORD)
    monkeypatch.setattr(into_database, "major_of", lambda member, key: 16)
    with pytest.raises(TaskError, match=r"the dump is of PostgreSQL 16, and main is 15.*restore into PostgreSQL 16"):
        await estate15.restore().plan("pa", SMALL)
