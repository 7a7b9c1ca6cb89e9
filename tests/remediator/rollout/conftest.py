"""The databases that drivers share: a SQLite file of one host, and one PostgreSQL database of several."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from remediator.store.database import Database
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer

Open = Callable[[str], Awaitable[Database]]
SHARED = pytest.param("postgresql", marks=pytest.mark.servers)


@pytest.fixture(scope="module")
def shared_url(postgres15: PostgresServer) -> str:
    postgres15.sql("DROP DATABASE IF EXISTS rollouts", "CREATE DATABASE rollouts")
    return f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{postgres15.port}/rollouts"


@pytest.fixture(params=["sqlite", SHARED])
async def open_for(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the database for a host, any number of times; nothing is in it but an audit."""
    shared = request.param == "postgresql"
    place: Path | str = str(request.getfixturevalue("shared_url")) if shared else tmp_path / "upkeeper.db"
    async with AsyncExitStack() as stack:

        async def open_it(host: str) -> Database:
            database = Database(place, host=host)
            stack.push_async_callback(database.close)
            await database.migrate()
            return database

        yield open_it
        if shared:
            request.getfixturevalue("postgres15").sql(
                "TRUNCATE hosts, rollouts, runs, alerts RESTART IDENTITY CASCADE", dbname="rollouts"
            )


@pytest.fixture
async def database(open_for: Open) -> Database:
    """Opened for the host ``kitchen``."""
    return await open_for("kitchen")
