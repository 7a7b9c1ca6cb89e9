"""The role of docs/how-to/postgres.md, made by the page's own SQL: it sees every figure, and no data."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from exporter.collectors.postgres import PostgresCollector
from exporter.inventory.postgres import PostgresSettings
from tests.exporter.postgres.figures import Figures, collecting, settings
from tests.helpers import wait_until
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.servers
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "postgres.md"
PASSWORD = "p4ssw0rd-of-the-role"
DATABASE = "watched"

ELSEWHERE = {
    "wal_receivers", "last_replayed_transaction_timestamp_seconds", "replay_pending_bytes",  # of a standby
    "archived_total", "archive_failed_total", "archive_last_success_timestamp_seconds",
    "archive_last_failure_timestamp_seconds", "archive_waiting_files",
    "archive_waiting_since_timestamp_seconds",  # of a server that archives
    "replication_lag_bytes", "replication_lag_seconds", "vacuums", "vacuum_scanned_ratio",  # of what runs now
}  # fmt: skip
"""Families without samples here; test_collector.py and test_archive.py have them."""


@pytest.fixture(scope="module")
def watched(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server with the page's role, and a database that has something to show."""
    for_server, for_database = re.findall(r"^```sql\n(.+?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    postgres.psql(for_server)
    postgres.sql(f"ALTER ROLE upkeeper PASSWORD '{PASSWORD}'", f"CREATE DATABASE {DATABASE}")
    postgres.psql(for_database, dbname=DATABASE)
    postgres.sql(
        "CREATE TABLE secret AS SELECT i, 'nobody may read ' || i AS t FROM generate_series(1, 60000) AS i",
        "CREATE INDEX unused ON secret (t)",
        "DELETE FROM secret WHERE i % 2 = 0",
        "VACUUM ANALYZE secret",
        "DELETE FROM secret WHERE i < 100",
        "SELECT pg_create_physical_replication_slot('a_slot', true)",
        dbname=DATABASE,
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        postgres.sql("CREATE UNIQUE INDEX CONCURRENTLY broken ON secret ((1))", dbname=DATABASE)
    yield postgres
    postgres.sql("SELECT pg_drop_replication_slot('a_slot')", f"DROP DATABASE {DATABASE} WITH (FORCE)")
    postgres.sql("DROP ROLE upkeeper")


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    return file


async def test_it_sees_every_figure(watched: PostgresServer, password: Path) -> None:
    role = settings(watched, password, user="upkeeper")
    with watched.connect(DATABASE) as other:
        other.execute("BEGIN").execute("SELECT 1")
        async with collecting(role) as collector:

            async def complete() -> Figures | None:
                found = Figures(await collector.collect())
                return found if found.get("table_dead_tuples", relname="public.secret") else None

            figures = await wait_until(complete, what="the dead rows to be counted")
            empty = await PostgresCollector([], PostgresSettings()).collect()
    wanted = {f"{family.name}_total" if family.type == "counter" else family.name for family in empty}
    wanted = {"upkeeper_postgres_info" if name == "upkeeper_postgres" else name for name in wanted}
    assert wanted - figures.names() == {f"upkeeper_postgres_{name}" for name in ELSEWHERE}
    assert figures.value("connections", state="unknown") == 0
    assert figures.value("connections", state="idle in transaction") == 1
    assert figures.value("oldest_transaction_start_timestamp_seconds", datname=DATABASE) > 0
    ((size,),) = watched.sql("SELECT pg_relation_size('secret')", dbname=DATABASE)
    bloat = figures.value("table_bloat_bytes_estimate", datname=DATABASE, relname="public.secret")
    assert bloat == pytest.approx(size / 2, rel=0.15)


def test_it_sees_no_data_and_changes_nothing(watched: PostgresServer) -> None:
    with watched.connect(DATABASE, user="upkeeper", password=PASSWORD) as connection:
        for forbidden in (
            "SELECT * FROM secret",
            "SELECT stavalues1 FROM pg_statistic",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('pg_hba.conf')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE upkeeper.mine ()")
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE upkeeper.mine ()")


async def test_its_session_is_bounded_and_named(watched: PostgresServer, password: Path) -> None:
    from exporter.base.threads import KeyedThreads
    from exporter.postgres.connect import connect

    role = settings(watched, password, user="upkeeper")
    session = await connect(role, "postgres", KeyedThreads(), seconds=10, statement_seconds=2)
    try:
        names = (
            "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
            "default_transaction_read_only", "search_path", "application_name", "jit",
        )  # fmt: skip
        found = {name: (await session.rows("SELECT current_setting(%s)", name))[0][0] for name in names}
    finally:
        await session.close()
    assert found == {
        "statement_timeout": "2s", "lock_timeout": "500ms", "idle_in_transaction_session_timeout": "2s",
        "default_transaction_read_only": "on", "search_path": "pg_catalog", "application_name": "upkeeper",
        "jit": "off",
    }  # fmt: skip


async def test_without_pg_monitor_what_it_may_not_see_is_absent(watched: PostgresServer, password: Path) -> None:
    watched.sql("REVOKE pg_monitor FROM upkeeper")
    try:
        with watched.connect(DATABASE):
            async with collecting(settings(watched, password, user="upkeeper")) as collector:
                figures = Figures(await collector.collect())
        assert figures.value("up") == 1
        assert figures.get("wal_bytes") is None
        assert figures.value("connections", state="unknown") >= 1
        assert figures.value("table_live_tuples", datname=DATABASE, relname="public.secret") > 0
    finally:
        watched.sql("GRANT pg_monitor TO upkeeper")


async def test_a_view_of_that_name_that_is_not_a_superusers_is_not_used(
    watched: PostgresServer, password: Path
) -> None:
    watched.sql("ALTER VIEW upkeeper.column_width OWNER TO upkeeper", dbname=DATABASE)
    try:
        async with collecting(settings(watched, password, user="upkeeper")) as collector:
            figures = Figures(await collector.collect())
        assert figures.value("table_live_tuples", datname=DATABASE, relname="public.secret") > 0
        assert figures.get("table_bloat_bytes_estimate", datname=DATABASE, relname="public.secret") is None
    finally:
        watched.sql("ALTER VIEW upkeeper.column_width OWNER TO admin", dbname=DATABASE)
