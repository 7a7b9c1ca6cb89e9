"""What an update of a server leaves to be done: statistics that are missing, and extensions behind their files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exporter.postgres.figures import Figures, figures_of, settings
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.servers
DATABASE = "upgraded"

VIEW = (
    "CREATE SCHEMA upkeeper",
    "CREATE VIEW upkeeper.column_width AS SELECT starelid AS relid, staattnum AS attnum, stawidth AS avg_width, "
    "stanullfrac AS null_frac FROM pg_catalog.pg_statistic WHERE NOT stainherit",
)


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Its database is as pg_upgrade leaves one: the rows are there, and no word of them in catalog or counters."""
    postgres.sql(f"CREATE DATABASE {DATABASE}")
    postgres.sql(
        "CREATE TABLE large AS SELECT i, 'row ' || i AS t FROM generate_series(1, 40000) AS i",
        "CREATE TABLE small AS SELECT 1 AS i",
        "CREATE TABLE empty (i int)",
        "SELECT pg_stat_reset()",
        dbname=DATABASE,
    )
    yield postgres
    postgres.sql(f"DROP DATABASE {DATABASE} WITH (FORCE)")


async def missing(server: PostgresServer, directory: Path) -> float:
    found: Figures = await figures_of(settings(server, directory / "password", databases=[DATABASE]))
    return found.value("tables_without_statistics", datname=DATABASE)


async def test_tables_of_which_nobody_knows_anything(server: PostgresServer, tmp_path: Path) -> None:
    assert await missing(server, tmp_path) == 1
    with server.connect(DATABASE) as other:
        other.execute("BEGIN").execute("LOCK TABLE large")
        assert await missing(server, tmp_path) == 0, "nobody waits for a lock to find out"
    server.sql("CREATE INDEX ON large (i)", dbname=DATABASE)
    noted = server.version < 18  # which notes no sizes with autovacuum off, as it is in tests
    assert await missing(server, tmp_path) == (0 if noted else 1), "the index has noted the size"
    server.sql(*VIEW, dbname=DATABASE)
    assert await missing(server, tmp_path) == 1, "but by the view"
    server.sql("ANALYZE large", dbname=DATABASE)
    assert await missing(server, tmp_path) == 0


async def test_extensions_behind_their_files(postgres15: PostgresServer, tmp_path: Path) -> None:
    postgres15.sql(f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE}")
    try:
        postgres15.sql("CREATE EXTENSION pg_trgm VERSION '1.5'", "CREATE EXTENSION hstore", dbname=DATABASE)
        given = settings(postgres15, tmp_path / "password", databases=[DATABASE])
        found = await figures_of(given)
        assert found.value("extension_updates_pending", datname=DATABASE) == 1
        postgres15.sql("ALTER EXTENSION pg_trgm UPDATE", dbname=DATABASE)
        found = await figures_of(given)
        assert found.value("extension_updates_pending", datname=DATABASE) == 0
    finally:
        postgres15.sql(f"DROP DATABASE {DATABASE} WITH (FORCE)")
