"""postgres-collation-refresh on real servers.

No other ICU is installed here: the catalogs of a server of the test's own are made to say that another version was
recorded, which is all that a server knows after an update of its libraries.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from exporter.inventory.postgres_maintenance import PostgresMaintenance as Policy
from exporter.postgres.session import QueryRefused
from remediator.model.task import Action, Plan, TaskError
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_debts.collation_refresh import CollationRefresh
from remediator.tasks.postgres_debts.rebuilt import RebuiltNote
from remediator.tasks.postgres_maintenance.indexes import Space
from tests.exporter.postgres.figures import NAME, settings
from tests.postgres_server import PASSWORD, PostgresServer

pytestmark = pytest.mark.servers

APP = "app"
ROOMY = Space(free=2**40, size=2**41)


class Refreshed:
    """The task with one server."""

    def __init__(self, server: PostgresServer, directory: Path, **changes: object) -> None:
        self.server = server
        maintenance = Policy(lock_timeout=0.1, data_directory="/data")  # type: ignore[arg-type]
        given = settings(server, directory / "password", **{"maintenance": maintenance, **changes})
        self.door = PostgresDoor(given)
        self.note = RebuiltNote(directory / "rebuilt" / "db.json")
        self.space = ROOMY
        self.task = CollationRefresh([given], lambda _: self.door, lambda _: self.note, lambda _: self.space)

    async def plan(self, **params: bool) -> Plan:
        return await self.task.plan(NAME, params)

    async def apply(self, action: Action) -> str:
        return (await self.task.apply(NAME, action)).state


@pytest.fixture
def refreshed(postgres15: PostgresServer, tmp_path: Path) -> Iterator[Refreshed]:
    """A database sorted by ICU, with indexes of many kinds."""
    server = postgres15
    server.sql(f"CREATE DATABASE {APP} LOCALE_PROVIDER icu ICU_LOCALE 'en' TEMPLATE template0")
    server.sql(
        'CREATE TABLE t (i int PRIMARY KEY, d text, de text COLLATE "de-x-icu", c text COLLATE "C", n bigint)',
        "INSERT INTO t SELECT i, 'row ' || i, 'r ' || i, 'c', i FROM generate_series(1, 100) AS i",
        "CREATE INDEX by_default ON t (d)",
        'CREATE UNIQUE INDEX "by ""de" ON t (de)',
        "CREATE INDEX by_c ON t (c)",
        "CREATE INDEX by_number ON t (n)",
        "CREATE INDEX by_expression ON t ((n > 0 AND d < 'row 5'))",
        "CREATE INDEX by_condition ON t (n) WHERE de > 'r 5'",
        'CREATE TYPE words AS RANGE (subtype = text, collation = "de-x-icu")',
        "CREATE TABLE r (w words)",
        "CREATE INDEX by_range ON r USING gist (w)",
        "CREATE TYPE pair AS (a text, b int)",
        "CREATE TABLE k (p pair)",
        "CREATE INDEX by_pair ON k (p)",
        dbname=APP,
    )
    yield Refreshed(server, tmp_path, databases=[APP])
    server.sql(f"DROP DATABASE IF EXISTS {APP} WITH (FORCE)")


def age(server: PostgresServer, *, default: bool = True, collation: str = "de-x-icu") -> None:
    """The catalogs as they are after an update of the libraries."""
    if default:
        server.sql(f"UPDATE pg_database SET datcollversion = 'older' WHERE datname = '{APP}'")
    if collation:
        server.sql(f"UPDATE pg_collation SET collversion = 'older' WHERE collname = '{collation}'", dbname=APP)


def objects(plan: Plan, kind: str) -> set[str]:
    return {action.object.removeprefix(f"{APP}: ") for action in plan.actions if action.kind == kind}


OF_DEFAULT = {"public.by_default", "public.by_expression", "public.by_pair"}
OF_DE = {'public.by "de', "public.by_condition", "public.by_range"}
DE = 'the collation pg_catalog."de-x-icu"'


async def test_exactly_the_affected_indexes_are_rebuilt_and_then_the_versions_recorded(refreshed: Refreshed) -> None:
    server = refreshed.server
    assert not (await refreshed.plan()).actions
    assert not (await refreshed.task.measure(NAME)).breached
    age(server, default=False)
    assert objects(await refreshed.plan(), "rebuild-index") == OF_DE
    age(server)
    plan = await refreshed.plan()
    assert plan.notes == []
    assert objects(plan, "rebuild-index") == OF_DEFAULT | OF_DE
    assert objects(plan, "record-version") == {"its default collation", DE}
    assert [action.kind for action in plan.actions] == ["rebuild-index"] * 6 + ["record-version"] * 2
    before = await refreshed.task.measure(NAME)
    assert before.breached
    assert before.values == {"collations": 2, "indexes": 6}
    oids = server.sql("SELECT oid, relname FROM pg_class WHERE relname LIKE 'by%'", dbname=APP)
    assert [await refreshed.apply(action) for action in plan.actions] == ["done"] * 8
    after = await refreshed.task.measure(NAME)
    assert after.values == {"collations": 0, "indexes": 0}
    assert refreshed.task.improved(before, after)
    assert not after.breached
    same = set(oids) & set(server.sql("SELECT oid, relname FROM pg_class WHERE relname LIKE 'by%'", dbname=APP))
    assert {name for _, name in same} == {"by_c", "by_number"}
    assert [await refreshed.apply(action) for action in plan.actions] == ["skipped"] * 8
    assert refreshed.note.read() == {}, "nothing of a database that is done is kept"


async def test_never_a_version_before_its_indexes(refreshed: Refreshed) -> None:
    """Also by a plan of an index of which nobody knew, and with the note of another version."""
    server = refreshed.server
    age(server)
    plan = await refreshed.plan()
    rebuilds = [action for action in plan.actions if action.kind == "rebuild-index"]
    records = {action.object.removeprefix(f"{APP}: "): action for action in plan.actions if action not in rebuilds}
    for action in records.values():
        with pytest.raises(TaskError, match="not rebuilt yet"):
            await refreshed.apply(action)
    for action in rebuilds[:-1]:
        await refreshed.apply(action)
    with pytest.raises(TaskError, match="1 index is not rebuilt yet"):
        await refreshed.apply(records[DE])
    await refreshed.apply(rebuilds[-1])
    server.sql("CREATE INDEX newer ON t (de, d)", dbname=APP)
    with pytest.raises(TaskError, match=r"not rebuilt yet, such as public.newer"):
        await refreshed.apply(records[DE])
    again = await refreshed.plan()
    assert objects(again, "rebuild-index") == {"public.newer"}, "the others are noted"
    changed = records[DE].model_copy(update={"params": {**records[DE].params, "actual": "another"}})
    with pytest.raises(TaskError, match="plan again"):
        await refreshed.apply(changed)
    assert [await refreshed.apply(action) for action in again.actions] == ["done"] * 3
    assert not (await refreshed.task.measure(NAME)).breached


async def test_what_a_later_index_of_the_same_name_is_not_taken_for_rebuilt(refreshed: Refreshed) -> None:
    """The note holds for the file that the rebuild made: a plain REINDEX makes another, by whatever library."""
    server = refreshed.server
    age(server, default=False)
    for action in (await refreshed.plan()).actions[:3]:
        await refreshed.apply(action)
    assert not objects(await refreshed.plan(), "rebuild-index")
    server.sql("REINDEX INDEX by_condition", dbname=APP)
    assert objects(await refreshed.plan(), "rebuild-index") == {"public.by_condition"}


async def test_duplicates_that_the_former_order_let_through(refreshed: Refreshed) -> None:
    server = refreshed.server
    server.sql(
        'UPDATE pg_index SET indisunique = false WHERE indexrelid = \'"by ""de"\'::regclass',
        "INSERT INTO t SELECT 200, 'x', 'r 1', 'c', 1",
        'UPDATE pg_index SET indisunique = true WHERE indexrelid = \'"by ""de"\'::regclass',
        dbname=APP,
    )
    age(server, default=False)
    plan = await refreshed.plan()
    (unique,) = (action for action in plan.actions if action.object.endswith('"de'))
    with pytest.raises(TaskError, match="could not create unique index"):
        await refreshed.apply(unique)
    (record,) = (action for action in plan.actions if action.kind == "record-version")
    with pytest.raises(TaskError, match="not rebuilt yet"):
        await refreshed.apply(record)
    leftovers = server.sql("SELECT relname FROM pg_class WHERE relname ~ '_cc(new|old)'", dbname=APP)
    assert leftovers == []


async def test_what_cannot_be_rebuilt_or_recorded_says_why(refreshed: Refreshed, tmp_path: Path) -> None:
    server = refreshed.server
    server.sql(
        'CREATE TABLE parted (de text COLLATE "de-x-icu") PARTITION BY RANGE (de)',
        "CREATE TABLE a PARTITION OF parted FOR VALUES FROM ('a') TO ('m')",
        dbname=APP,
    )
    age(server, default=False)
    plan = await refreshed.plan()
    assert not objects(plan, "record-version")
    assert "rows of public.parted may lie in the wrong partition" in plan.notes[0]
    assert objects(await refreshed.plan(partitions_checked=True), "record-version") == {DE}
    server.sql("ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING btree (de WITH =)", dbname=APP)
    refreshed.space = Space(free=0, size=2**30)
    plan = await refreshed.plan(partitions_checked=True)
    assert not plan.actions
    assert any("exclusion constraints only with a lock" in note for note in plan.notes)
    assert any("it needs 51" in note for note in plan.notes)
    assert any("is not recorded before all that depends on it is rebuilt" in note for note in plan.notes)
    server.sql("CREATE ROLE keeper LOGIN PASSWORD '" + PASSWORD + "'")
    server.sql("ALTER TABLE t DROP CONSTRAINT e", "DROP TABLE parted", dbname=APP)
    other = Refreshed(server, tmp_path, databases=[APP], user="keeper")
    plan = await other.plan()
    assert not plan.actions
    server.sql(
        "GRANT pg_monitor TO keeper", "ALTER TABLE t OWNER TO keeper", "ALTER TABLE r OWNER TO keeper", dbname=APP
    )
    plan = await other.plan()
    assert objects(plan, "rebuild-index") == OF_DE
    assert plan.notes == [
        f"{APP}: the role may not record the version of {DE}; once all is rebuilt, its owner or a superuser can: "
        'ALTER COLLATION pg_catalog."de-x-icu" REFRESH VERSION;'
    ]
    server.sql(f"REASSIGN OWNED BY keeper TO {server.sql('SELECT current_user')[0][0]}", "DROP ROLE keeper", dbname=APP)


async def test_a_template(postgres15: PostgresServer, tmp_path: Path) -> None:
    """No database can be made from one of another version."""
    server = postgres15
    server.sql(
        "CREATE DATABASE aged_template LOCALE_PROVIDER icu ICU_LOCALE 'en' TEMPLATE template0",
        "UPDATE pg_database SET datistemplate = true, datcollversion = 'older' WHERE datname = 'aged_template'",
    )
    make = "CREATE DATABASE of_template TEMPLATE aged_template LOCALE_PROVIDER icu ICU_LOCALE 'en'"
    with pytest.raises(psycopg.Error, match="version mismatch"):
        server.sql(make)
    task = Refreshed(server, tmp_path)
    plan = await task.plan()
    assert [action.object for action in plan.actions] == ["aged_template: its default collation"]
    assert await task.apply(plan.actions[0]) == "done"
    server.sql(
        make,
        "DROP DATABASE of_template",
        "ALTER DATABASE aged_template IS_TEMPLATE false",
        "DROP DATABASE aged_template",
    )


async def test_a_lock_in_the_way_is_named_and_nothing_recorded(refreshed: Refreshed) -> None:
    server = refreshed.server
    age(server, default=False)
    plan = await refreshed.plan()
    (action,) = (each for each in plan.actions if each.object.endswith("by_range"))
    with server.connect(APP) as other:
        other.execute("BEGIN").execute("LOCK TABLE r IN ROW EXCLUSIVE MODE")
        with pytest.raises((TaskError, QueryRefused), match=r"in the way for longer than lock_timeout: process \d+"):
            await refreshed.apply(action)
    assert await refreshed.apply(action) == "done"


def test_a_note_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_text("{")
    with pytest.raises(TaskError, match="cannot be read"):
        RebuiltNote(path).read()
