"""The migrations lead to exactly the tables that the code works with."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from remediator.store.database import MIGRATIONS, Database, newest_version
from remediator.store.tables import metadata


async def test_the_migrated_tables_are_those_of_the_code(tmp_path: Path) -> None:
    database = Database(tmp_path / "upkeeper.db")
    await database.migrate()

    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await database.read(differences) == []
    await database.migrate()
    await database.close()


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
