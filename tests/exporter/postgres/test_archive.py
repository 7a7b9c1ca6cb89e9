"""Servers that lose what others rely on: slots whose WAL is gone, WAL that is not archived, collations that changed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.exporter.postgres.figures import Figures, collecting, figures_of, settings
from tests.helpers import wait_until
from tests.postgres_server import VERSIONS, PostgresServer

pytestmark = pytest.mark.servers
Factory = Callable[..., PostgresServer]
STATUS = "upkeeper_postgres_slot_wal_status"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    return tmp_path / "password"


def watcher(server: PostgresServer, password: Path) -> object:
    """As docs/how-to/postgres.md makes it, which is all that the figures here need."""
    server.sql("CREATE ROLE watcher LOGIN PASSWORD 'x' IN ROLE pg_monitor")
    password.write_text("x")
    return settings(server, password, user="watcher")


def write_wal(server: PostgresServer, files: int = 1) -> None:
    for _ in range(files):
        server.sql("SELECT pg_logical_emit_message(false, 'upkeeper', 'x')", "SELECT pg_switch_wal()")
    server.sql("CHECKPOINT")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_slot_that_lost_its_wal(version: int, postgres_factory: Factory, password: Path) -> None:
    server = postgres_factory(version, max_slot_wal_keep_size="16MB", min_wal_size="32MB", max_wal_size="32MB")
    for name in ("left_behind", "keeps_up"):
        server.sql(f"SELECT pg_create_physical_replication_slot('{name}', true)")
    server.sql("SELECT pg_create_logical_replication_slot('decoding', 'pgoutput')")
    server.sql("SELECT pg_create_physical_replication_slot('unused')")
    async with collecting(watcher(server, password)) as collector:  # type: ignore[arg-type]

        async def states() -> dict[str, str]:
            found = Figures(await collector.collect())
            return {
                sample.labels["slot"]: sample.labels[STATUS]
                for sample in found.samples
                if sample.name == STATUS and sample.value
            }

        assert await states() == dict.fromkeys(("left_behind", "keeps_up", "decoding"), "reserved")

        async def lost() -> bool:
            server.sql("SELECT pg_drop_replication_slot('keeps_up')")
            server.sql("SELECT pg_create_physical_replication_slot('keeps_up', true)")
            write_wal(server)
            return (await states())["left_behind"] == "lost"

        await wait_until(lost, timeout=60)
        found = await states()
        assert found.pop("keeps_up") in ("reserved", "extended", "unreserved")
        assert found == {"left_behind": "lost", "decoding": "lost"}
        figures = Figures(await collector.collect())
        assert figures.value("slot_retained_bytes", slot="left_behind") == 0, "which looks well"
        server.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
        assert await states() == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_archive_command_that_fails_hangs_or_works(
    version: int, postgres_factory: Factory, password: Path
) -> None:
    archive = Path("archive")
    server = postgres_factory(version, archive_mode="on")
    server.sql("ALTER SYSTEM SET archive_command = 'false'", "SELECT pg_reload_conf()")
    async with collecting(watcher(server, password)) as collector:  # type: ignore[arg-type]

        async def figures() -> Figures:
            return Figures(await collector.collect())

        first = await figures()
        assert (first.value("archived_total"), first.value("archive_failed_total")) == (0, 0)
        assert first.value("archive_waiting_files") == 0
        assert first.get("archive_waiting_since_timestamp_seconds") is None
        assert first.get("archive_last_failure_timestamp_seconds") is None
        assert first.value("archive_max_wait_seconds") == 600
        write_wal(server)
        failing = await wait_until(lambda: with_some(figures, "archive_failed_total"))
        assert failing.value("archived_total") == 0
        assert failing.value("archive_waiting_files") == 1
        since = failing.value("archive_waiting_since_timestamp_seconds")
        assert since <= failing.value("archive_last_failure_timestamp_seconds")
        write_wal(server)
        later = await figures()
        assert later.value("archive_waiting_files") == 2
        assert later.value("archive_waiting_since_timestamp_seconds") == since, "the oldest is the one that counts"
        # One that hangs, or is not set, fails no more; what waits goes on to wait.
        server.sql("ALTER SYSTEM SET archive_command = ''", "SELECT pg_reload_conf()")
        write_wal(server)
        silent = await wait_until(lambda: with_some(figures, "archive_waiting_files", 3))
        assert silent.value("archive_waiting_since_timestamp_seconds") == since
        server.sql(f"ALTER SYSTEM SET archive_command = 'true {archive}'", "SELECT pg_reload_conf()")
        write_wal(server)
        well = await wait_until(lambda: with_some(figures, "archived_total", 4), timeout=120)
        assert well.value("archive_waiting_files") == 0
        assert well.get("archive_waiting_since_timestamp_seconds") is None
        assert well.value("archive_last_success_timestamp_seconds") > since


async def with_some(figures: Callable[[], object], name: str, least: float = 1) -> Figures | None:
    found = await figures()  # type: ignore[misc]
    return found if (found.get(name) or 0) >= least else None


async def test_a_server_that_does_not_archive_and_its_leftovers(postgres_factory: Factory, password: Path) -> None:
    server = postgres_factory(15)
    ready = server.directory / "data" / "pg_wal" / "archive_status" / "000000010000000000000001.ready"
    ready.touch()
    with capture_logs() as lines:
        found = await figures_of(watcher(server, password))  # type: ignore[arg-type]
    assert not {name for name in found.names() if "archive" in name} - {"upkeeper_postgres_archive_max_wait_seconds"}
    assert lines == []


async def test_a_role_without_pg_monitor_goes_without(postgres_factory: Factory, password: Path) -> None:
    server = postgres_factory(15, archive_mode="on", archive_command="false")
    server.sql("CREATE ROLE stranger LOGIN PASSWORD 'x'")
    password.write_text("x")
    with capture_logs() as lines:
        found = await figures_of(settings(server, password, user="stranger"))
    assert found.value("up") == 1
    assert found.get("archive_waiting_files") is None
    assert "archive" in {line["part"] for line in lines}


def age(server: PostgresServer, catalog: str, column: str, where: str, dbname: str = "postgres") -> None:
    """Has the catalog say what it would after an update of the system's libraries: another version than there is."""
    server.sql(f"UPDATE {catalog} SET {column} = 'older' WHERE {where}", dbname=dbname)


async def test_collations_that_sort_otherwise_than_they_did(postgres_factory: Factory, password: Path) -> None:
    server = postgres_factory(15)
    server.sql("CREATE DATABASE letta LOCALE_PROVIDER icu ICU_LOCALE 'en' TEMPLATE template0")
    server.sql("CREATE DATABASE plain")
    server.sql(
        'CREATE TABLE t (de text COLLATE "de-x-icu", fr text COLLATE "fr-x-icu")',
        "CREATE INDEX i ON t (de)",
        dbname="letta",
    )
    async with collecting(watcher(server, password)) as collector:  # type: ignore[arg-type]

        async def mismatches() -> dict[str, float]:
            samples = Figures(await collector.collect()).samples
            name = "upkeeper_postgres_collation_mismatches"
            return {sample.labels["datname"]: sample.value for sample in samples if sample.name == name}

        none = {"letta": 0, "plain": 0, "postgres": 0, "template1": 0}
        assert await mismatches() == none
        age(server, "pg_collation", "collversion", "collname LIKE 'es%'", "letta")
        assert await mismatches() == none, "nothing uses them"
        age(server, "pg_collation", "collversion", "collname IN ('de-x-icu', 'fr-x-icu')", "letta")
        assert await mismatches() == none | {"letta": 2}
        age(server, "pg_database", "datcollversion", "datname IN ('letta', 'template0')")
        assert await mismatches() == none | {"letta": 3}, "and nothing is made of template0's"
        age(server, "pg_database", "datcollversion", "datname = 'plain'")
        assert await mismatches() == none | {"letta": 3}, "of the C locale there are no versions"
        server.sql("ALTER DATABASE letta REFRESH COLLATION VERSION")
        server.sql(
            'ALTER COLLATION "de-x-icu" REFRESH VERSION', 'ALTER COLLATION "fr-x-icu" REFRESH VERSION', dbname="letta"
        )
        assert await mismatches() == none


async def test_collations_that_every_database_is_born_with(postgres_factory: Factory, password: Path) -> None:
    """Of 18, which has versions of its own builtin ones."""
    server = postgres_factory(18)
    server.sql("CREATE DATABASE b LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE template0")
    server.sql("CREATE TABLE t (a text COLLATE pg_c_utf8)", "CREATE INDEX i ON t (a)", dbname="b")
    for datname, least in (("b", 0), ("postgres", 0)):
        found = await figures_of(settings(server, password))
        assert found.value("collation_mismatches", datname=datname) == least
    age(server, "pg_collation", "collversion", "collname = 'pg_c_utf8'", "b")
    age(server, "pg_database", "datcollversion", "datname = 'b'")
    found = await figures_of(settings(server, password))
    assert found.value("collation_mismatches", datname="b") == 2
    assert found.value("collation_mismatches", datname="postgres") == 0
