"""The migrations lead to exactly the tables that the code works with."""

from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from remediator.store.database import Database
from remediator.store.tables import metadata


async def test_the_migrated_tables_are_those_of_the_code(tmp_path: Path) -> None:
    database = Database(tmp_path / "upkeeper.db")
    await database.migrate()

    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await database.read(differences) == []
    await database.migrate()
    await database.close()
