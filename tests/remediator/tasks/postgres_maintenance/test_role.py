"""The role of docs/tasks/postgres-maintenance.md, made by the page's own SQL, does all that the task does."""

import re
from pathlib import Path

import psycopg
import pytest

from remediator.model.task import TaskError
from tests.postgres_server import PostgresServer
from tests.remediator.tasks.postgres_maintenance.test_task import (
    DATABASE,
    NAME,
    Maintained,
    database,
    lay,
    seen,
)

pytestmark = pytest.mark.servers
PAGE = Path(__file__).parents[4] / "docs" / "tasks" / "postgres-maintenance.md"
PASSWORD = "p4ssw0rd-of-the-maintainer"

__all__ = ["database"]


async def test_the_role_of_the_page_maintains_and_is_refused_by_name(database: PostgresServer, tmp_path: Path) -> None:
    made, maintain, owners, toast, _ = re.findall(r"^```sql\n(.+?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    database.psql(made)
    database.sql(f"ALTER ROLE upkeeper_maintenance PASSWORD '{PASSWORD}'", "CREATE ROLE app")
    try:
        await maintains(database, tmp_path, maintain, owners, toast)
    finally:
        database.sql("DROP OWNED BY upkeeper_maintenance, app", dbname=DATABASE)
        database.sql("DROP ROLE upkeeper_maintenance", "DROP ROLE app")


async def maintains(database: PostgresServer, tmp_path: Path, maintain: str, owners: str, toast: str) -> None:
    secret = tmp_path / "maintenance"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    maintained = Maintained(
        database, tmp_path / "password", user="upkeeper_maintenance", password_file=str(secret), index_bloat_min="1MiB"
    )
    lay(database)
    database.sql(
        "INSERT INTO t SELECT i, repeat(md5(i::text), 300) FROM generate_series(1, 5) AS i",
        "ALTER TABLE t OWNER TO app",
        dbname=DATABASE,
    )  # fmt: skip
    action = await seen(Maintained(database, tmp_path / "password"), "public.t", "vacuum")
    plan = await maintained.plan()
    assert not plan.actions
    assert [note for note in plan.notes if "may not do, the worst of them public.t (" in note]
    with pytest.raises(TaskError, match=r"may not maintain public.t"):
        await maintained.apply(action)
    assert ("app",) in database.sql(owners, dbname=DATABASE)
    database.psql(maintain if database.version >= 17 else "GRANT app TO upkeeper_maintenance")
    database.psql(toast, dbname=DATABASE)
    assert (await maintained.apply(await seen(maintained, "public.t", "vacuum")))[0] == "done"
    with database.connect(DATABASE) as other, database.connect(DATABASE) as broken:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").execute("SELECT count(*) FROM t")
        broken.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            broken.execute("REINDEX TABLE CONCURRENTLY t")
    plan = await maintained.plan()
    if database.version >= 17:
        assert [note for note in plan.notes if "only the owner of" in note]
        database.sql("GRANT app TO upkeeper_maintenance")
        plan = await maintained.plan()
    left = [action for action in plan.actions if action.kind == "drop-index"]
    assert [action.object.startswith(f"{DATABASE}: pg_toast.") for action in left] == [True]
    assert await maintained.apply(left[0]) == ("done", "dropped")
    assert (await maintained.task.measure(NAME)).values["indexes_left"] == 0
