"""The databases that the store's tests run on: SQLite, and PostgreSQL of the oldest and the newest version."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import cast

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


class Servers:
    """PostgreSQL servers of each version, started for the first database; ended by ``close``."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._servers: dict[int, PostgresServer] = {}

    def __call__(self, version: int) -> str:
        """Makes an empty database; its URL."""
        name = f"store{next(_numbers)}"
        self.of(version).sql(f"CREATE DATABASE {name}")
        return url_of(self.of(version), name)

    def of(self, version: int) -> PostgresServer:
        if version not in self._servers:
            self._servers[version] = self._stack.enter_context(private_postgres(version))
        return self._servers[version]

    def close(self) -> None:
        self._stack.close()


class Migrated:
    """Databases with all tables, made once of each kind and then copied: migrating takes longer than most tests."""

    def __init__(self, servers: Callable[[], Servers], folder: Path) -> None:
        self._servers = servers
        self._folder = folder
        self._made: dict[int | None, Place] = {}

    async def fill(self, place: Place, version: int | None) -> None:
        """Gives a database all tables, where it has none. version: of PostgreSQL; None for a SQLite file."""
        if isinstance(place, Path):
            if not place.exists():
                shutil.copy(await self._template(None), place)
            return
        server, name = self._servers().of(version or 0), place.rpartition("/")[2]
        ((found,),) = server.sql("SELECT to_regclass('alembic_version')", dbname=name)
        if found is None:
            template = str(await self._template(version)).rpartition("/")[2]
            server.sql(f"DROP DATABASE {name}", f"CREATE DATABASE {name} TEMPLATE {template}")

    async def _template(self, version: int | None) -> Place:
        if version not in self._made:
            made = self._folder / "upkeeper.db" if version is None else self._servers()(version)
            database = Database(made)
            database.open_only()
            await asyncio.to_thread(database._upgrade)  # without what a first start adds for its host
            await database.close()
            self._made[version] = made
        return self._made[version]


@pytest.fixture(scope="session")
def new_database() -> Iterator[Servers]:
    """Makes empty databases on a server of a version."""
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def migrated_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    folder = tmp_path_factory.mktemp("store")
    return Migrated(lambda: cast(Servers, request.getfixturevalue("new_database")), folder)


@pytest.fixture(params=EVERY)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a database is to be: a SQLite file that is not there yet, or the URL of an empty PostgreSQL database."""
    if request.param is None:
        return tmp_path / "upkeeper.db"
    return str(request.getfixturevalue("new_database")(request.param))


@pytest.fixture
async def open_for(place: Place, migrated_store: Migrated, request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Opens the database for a host, any number of times."""
    version = request.node.callspec.params["place"]
    async with AsyncExitStack() as stack:

        async def open_it(host: str) -> Database:
            await migrated_store.fill(place, version)
            database = Database(place, host=host)
            stack.push_async_callback(database.close)
            await database.migrate()
            return database

        yield open_it


@pytest.fixture
async def database(open_for: Open) -> Database:
    """A migrated database, opened for the host ``kitchen``."""
    return await open_for("kitchen")
