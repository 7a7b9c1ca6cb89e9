"""postgres-extension-update on a real server whose extensions are behind its files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.inventory.postgres_maintenance import PostgresMaintenance as Policy
from remediator.model.task import TaskError
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_debts.extension_update import ExtensionUpdate
from tests.exporter.postgres.figures import NAME, settings
from tests.postgres_server import PASSWORD, PostgresServer

pytestmark = pytest.mark.servers
DATABASE = "extended"


@pytest.fixture
def server(postgres15: PostgresServer) -> Iterator[PostgresServer]:
    postgres15.sql(f"CREATE DATABASE {DATABASE}")
    postgres15.sql(
        "CREATE EXTENSION pg_trgm VERSION '1.5'",
        "CREATE EXTENSION hstore VERSION '1.7'",
        "CREATE EXTENSION seg",
        "UPDATE pg_extension SET extversion = '9.9' WHERE extname = 'seg'",  # as after a step back to an older image
        dbname=DATABASE,
    )
    yield postgres15
    postgres15.sql(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def task(server: PostgresServer, directory: Path, **changes: object) -> ExtensionUpdate:
    maintenance = Policy(lock_timeout=1)  # a busy machine is to see who is in the way
    given = settings(server, directory / "password", databases=[DATABASE], maintenance=maintenance, **changes)
    door = PostgresDoor(given)
    return ExtensionUpdate([given], lambda _: door)


async def test_what_is_behind_is_updated_and_what_knows_no_way_stays(server: PostgresServer, tmp_path: Path) -> None:
    updates = task(server, tmp_path)
    plan = await updates.plan(NAME)
    assert [action.object for action in plan.actions] == [f"{DATABASE}: hstore", f"{DATABASE}: pg_trgm"]
    assert plan.actions[1].reason == "1.5 is installed, and the server's files are 1.6"
    (note,) = plan.notes
    assert note.startswith(f"{DATABASE}: seg stays at 9.9: the server's files know no way")
    before = await updates.measure(NAME)
    assert (before.breached, before.values) == (True, {"extensions": 3})
    with server.connect(DATABASE) as other:
        other.execute("BEGIN").execute("LOCK TABLE pg_extension IN SHARE MODE")
        with pytest.raises(TaskError, match=r"in the way for longer than lock_timeout: process \d+"):
            await updates.apply(NAME, plan.actions[0])
    effects = [await updates.apply(NAME, action) for action in plan.actions]
    assert [effect.state for effect in effects] == ["done", "done"]
    assert server.sql("SELECT extversion FROM pg_extension WHERE extname = 'pg_trgm'", dbname=DATABASE) == [("1.6",)]
    after = await updates.measure(NAME)
    assert updates.improved(before, after)
    again = await updates.apply(NAME, plan.actions[0])
    assert (again.state, again.detail) == ("skipped", "it has the version 1.8 now")


async def test_what_the_role_does_not_own_is_named(server: PostgresServer, tmp_path: Path) -> None:
    server.sql(f"CREATE ROLE stranger_here LOGIN PASSWORD '{PASSWORD}'")
    plan = await task(server, tmp_path, user="stranger_here").plan(NAME)
    server.sql("DROP ROLE stranger_here")
    assert not plan.actions
    assert (
        f"{DATABASE}: the role may not update hstore; its owner can: ALTER EXTENSION \"hstore\" UPDATE TO '1.8';"
        in (plan.notes)
    )
