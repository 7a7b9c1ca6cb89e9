"""The migrations lead to exactly the tables that the code works with, and bring what earlier releases wrote along."""

import gzip
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from remediator.control.core import Core
from remediator.model.caller import Caller
from remediator.model.run import Request
from remediator.statedir import StateDir
from remediator.store import runs
from remediator.store.database import MIGRATIONS, Database, newest_version
from remediator.store.tables import metadata
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import Clock, Stack, settings
from tests.remediator.store.conftest import SHARED
from tests.remediator.sweep import Sweep

RELEASES = sorted(Path(__file__).parent.glob("releases/*.sql.gz"))
"""Filled databases of earlier releases; releases/fill.py tells how they were made."""
OURS = ("alerts", "decisions", "runs", "actions", "pauses", "breaker_resets")
OF_A_HOST = ("decisions", "runs", "pauses", "breaker_resets")
SINCE_HOSTS = "0003"
"""From this version on rows have a host, and callers: they stay what they are."""
ALL_SINCE = "0010"
"""From this version on the dumps have a row in every table."""
IN_TABLE = {("runs", "remedy"): "CASE \"trigger\" WHEN 'alert' THEN caller END"}
"""What became of columns that are there no more."""


def differences(connection: Connection) -> list[Any]:
    """Between the tables of the database and the code's, those of the engine in the same file left out."""
    options = {"include_name": lambda name, kind, parents: kind != "table" or name in metadata.tables}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    assert await database.read(differences) == []
    await database.migrate()
    assert await database.read(differences) == []


async def test_indexes_of_some_of_the_rows_are_that_on_every_database(database: Database) -> None:
    def of(connection: sa.Connection) -> dict[str, str]:
        if connection.dialect.name == "postgresql":
            query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        else:
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        return {name: sql for name, sql in connection.execute(sa.text(query)) if name in some}

    some = {
        index.name
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    found = await database.read(of)
    assert set(found) == some
    assert all(" WHERE " in sql for sql in found.values())


@pytest.mark.parametrize("place", SHARED, indirect=True)
async def test_a_shared_database_of_an_earlier_release_is_kept_to_the_last_value(filled: StateDir, place: str) -> None:
    """No release could make one yet; it is brought to that release's tables, and filled with its rows."""
    ours, version, tables = sa.MetaData(), version_of(filled.database), tables_of(filled.database)
    file = sa.create_engine(f"sqlite:///{filled.database}")
    server = sa.create_engine(place.replace("postgresql:", "postgresql+psycopg:"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with file.begin() as source, server.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        ours.reflect(connection, only=tables)
        before = {table: source.execute(sa.select(ours.tables[table])).mappings().all() for table in tables}
        for table in (each for each in ours.sorted_tables if before[each.name]):
            connection.execute(table.insert(), [dict(row) for row in before[table.name]])
            if "id" in table.c:
                connection.execute(sa.text(f"SELECT setval('{table.name}_id_seq', (SELECT max(id) FROM {table.name}))"))
    last = max(row["id"] for row in before["runs"])
    database = Database(place, host="kitchen")
    await database.migrate()
    assert await database.read(differences) == []
    with server.begin() as connection:
        now = sa.MetaData()
        now.reflect(connection, only=tables)
        host = "kitchen" if version < SINCE_HOSTS else "host"
        for table in (each for each in tables if before[each]):
            select = sa.select(now.tables[table])
            after = [row for row in connection.execute(select).mappings() if not _of_this_start(table, row)]
            nobodys = table == "alerts"  # until they come again: whose they are is the config's to say
            assert {row.get("host", host) for row in after} == ({None} if nobodys else {host})
            like = [_without_host(row, before[table][0]) for row in after]
            assert sorted(like, key=repr) == sorted(map(dict, before[table]), key=repr)
    request = Request(host="kitchen", task="t", target="x", caller=Caller("cli"), dry_run=False)
    assert await database.write(partial(runs.create, request=request, now=1.0)) == last + 1
    await database.close()
    file.dispose()
    server.dispose()


def _of_this_start(table: str, row: Mapping[str, Any]) -> bool:
    """Whether a row is the beginning of the audit of the host that has just come to the database."""
    return table in ("audit", "audit_heads") and row["host"] == "kitchen"


def version_of(database: Path) -> str:
    """The newest migration that a database has had."""
    with closing(sqlite3.connect(database)) as connection:
        ((version,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(version)


def tables_of(database: Path) -> list[str]:
    """Our tables in a database, but for what an earlier release could not have, in an order of their names."""
    with closing(sqlite3.connect(database)) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        ours = sorted(found & set(metadata.tables))
        filled = {name for name in ours if connection.execute(f'SELECT 1 FROM "{name}"').fetchone()}
    assert filled >= set(ours if version_of(database) >= ALL_SINCE else OURS)
    return ours


def _without_host(row: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """A row as an earlier release had it."""
    remedy = {"remedy": row.get("caller") if row.get("trigger") == "alert" else None}
    return {key: row[key] if key in row else remedy[key] for key in like}


def test_the_newest_version_is_the_one_that_alembic_knows() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [newest_version()]


async def test_tables_that_are_up_to_date_need_no_alembic(tmp_path: Path) -> None:
    path = tmp_path / "upkeeper.db"
    code = (
        "import asyncio, sys; from pathlib import Path; from remediator.store.database import Database;"
        "asyncio.run(Database(Path(sys.argv[1])).migrate()); print('alembic' in sys.modules)"
    )
    for needed in ("True", "False"):
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == needed


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.partition(".")[0])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> StateDir:
    """A state directory as an earlier release left it, one of its runs under way."""
    state = StateDir(tmp_path / "state")
    state.ensure()
    with sqlite3.connect(state.database) as connection:
        connection.executescript(gzip.decompress(request.param.read_bytes()).decode())
    return state


def rows(database: Path, names: Collection[str], tables: Callable[[str], list[str]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of these tables, each as the columns that are asked for."""
    found: dict[str, list[dict[str, Any]]] = {}
    with sqlite3.connect(database) as connection:
        for table in names:
            there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            columns = tables(table)
            values = ", ".join(f'"{name}"' if name in there else IN_TABLE[table, name] for name in columns)
            rows = connection.execute(f"SELECT {values} FROM {table} ORDER BY 1, 2")
            found[table] = [dict(zip(columns, row, strict=True)) for row in rows]
    return found


async def test_what_an_earlier_release_wrote_is_kept_to_the_last_value(filled: StateDir) -> None:
    with sqlite3.connect(filled.database) as connection:
        tables, version = tables_of(filled.database), version_of(filled.database)
        columns = {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables}
    before = rows(filled.database, tables, columns.__getitem__)
    host = "kitchen" if version < SINCE_HOSTS else "host"  # where rows have one, they keep it
    database = Database(filled.database, host=host)
    await database.migrate()
    assert await database.read(differences) == []
    await database.close()
    assert rows(filled.database, tables, columns.__getitem__) == before
    with sqlite3.connect(filled.database) as connection:
        for table in OF_A_HOST:
            assert connection.execute(f"SELECT DISTINCT host FROM {table}").fetchall() == [(host,)]
        caller = ("api", "") if version < SINCE_HOSTS else ("cli", "")
        assert connection.execute('SELECT "trigger", caller FROM pauses').fetchall() == [caller]
        assert connection.execute("SELECT DISTINCT params FROM runs").fetchall() == [("{}",)]
        for planned, *shown in connection.execute("SELECT plan, actions, estimated_bytes FROM approvals"):
            its = json.loads(planned)["actions"]
            assert shown == [len(its), sum(one["estimated_bytes"] for one in its)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_no_number_of_a_run_comes_twice(filled: StateDir) -> None:
    """The engine knows runs by their numbers, and would take a new one for one that it has done."""
    with sqlite3.connect(filled.database) as connection:
        ((last,),) = connection.execute("SELECT max(id) FROM runs").fetchall()
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("DELETE FROM runs")
    database = Database(filled.database)
    await database.migrate()
    request = Request(host=database.host, task="t", target="x", caller=Caller("cli"), dry_run=False)
    assert await database.write(partial(runs.create, request=request, now=1.0)) == last + 1
    await database.close()


@pytest.mark.parametrize("name", ["host", "renamed"])
async def test_the_remediator_goes_on_where_an_earlier_release_left_off(
    filled: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """On the machine that the dump is of, which may have another name since."""
    monkeypatch.setattr("platform.node", lambda: name)
    attic = tmp_path / "attic"
    attic.mkdir()
    for number in range(4):
        (attic / f"f{number}").touch()
    with sqlite3.connect(filled.database) as connection:
        ((last_seen,),) = connection.execute("SELECT max(last_received_at) FROM alerts").fetchall()
        ((under_way,),) = connection.execute("SELECT id FROM runs WHERE state != 'finished'").fetchall()
    task, clock = Sweep(attic), Clock(last_seen + 1)
    stack = Stack(Core(filled, settings(task, [REMEDY]), clock=clock), clock, task, attic, [REMEDY])
    await stack.core.open()
    try:
        await stack.core.start_engine()
        found = await stack.finished(under_way)
        assert (found[-1]["id"], found[-1]["outcome"]) == (under_way, "ineffective"), "f3 was not in its plan"
        assert {run["host"] for run in found} == {name}
        assert [path.name for path in attic.iterdir()] == ["f3"]
        (pause,) = (await stack.core.status())["paused"]
        assert pause["task"] == "sweep"
        await stack.core.resume("sweep")
        # The alert still fires: what is left of the breach is looked at after the cooldown, in the same episode.
        await stack.pass_time(REMEDY.cooldown)
        assert (await stack.finished(under_way + 1))[-1]["outcome"] == "effective"
        assert list(attic.iterdir()) == []
        for page in (await stack.core.alerts(), await stack.core.decisions(), await stack.core.runs()):
            json.dumps(page)
        assert (await stack.core.remedies())["items"][0]["track"]["plans"] == 1
    finally:
        await stack.core.close()
