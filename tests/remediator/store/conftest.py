"""The databases that the store's tests run on: SQLite, and PostgreSQL of the oldest and the newest version."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from remediator.store.database import Database
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer, private_postgres

Place = Path | str
Open = Callable[[str], Awaitable[Database]]

SHARED = [pytest.param(version, marks=pytest.mark.servers, id=f"postgresql-{version}") for version in (15, 18)]
EVERY = [pytest.param(None, id="sqlite"), *SHARED]

_numbers = itertools.count(1)


def url_of(server: PostgresServer, name: str) -> str:
    return f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{server.port}/{name}"


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[int], str]]:
    """Makes empty databases on a server of that version, which is started for the first; their URLs."""
    with ExitStack() as stack:
        servers: dict[int, PostgresServer] = {}

        def make(version: int) -> str:
            if version not in servers:
                servers[version] = stack.enter_context(private_postgres(version))
            name = f"store{next(_numbers)}"
            servers[version].sql(f"CREATE DATABASE {name}")
            return url_of(servers[version], name)

        yield make


@pytest.fixture(params=EVERY)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a database is to be: a SQLite file that is not there yet, or the URL of an empty PostgreSQL database."""
    if request.param is None:
        return tmp_path / "upkeeper.db"
    return str(request.getfixturevalue("new_database")(request.param))


@pytest.fixture
async def open_for(place: Place) -> AsyncIterator[Open]:
    """Opens the database for a host, any number of times."""
    async with AsyncExitStack() as stack:

        async def open_it(host: str) -> Database:
            database = Database(place, host=host)
            stack.push_async_callback(database.close)
            await database.migrate()
            return database

        yield open_it


@pytest.fixture
async def database(open_for: Open) -> Database:
    """A migrated database, opened for the host ``kitchen``."""
    return await open_for("kitchen")
