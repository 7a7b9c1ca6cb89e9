"""Figures of real PostgreSQL servers against what was done to them."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.exporter.postgres.figures import Figures, collecting, figures_of, settings
from tests.helpers import wait_until
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.servers
ODD = 'we"ird é name'
ODD_QUOTED = '"we""ird é name"'


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The name of a database of the test's own."""
    name = "one"
    postgres.sql(f"CREATE DATABASE {name}")
    yield name
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def password(tmp_path: Path) -> Path:
    return tmp_path / "password"


async def test_it_says_what_the_server_is(postgres: PostgresServer, password: Path) -> None:
    before = time.time()
    figures = await figures_of(settings(postgres, password))
    (version,) = figures.labels("info", "version")
    assert version.split(".")[0] == str(postgres.version)
    assert figures.value("up") == 1
    assert 0 < before - figures.value("start_timestamp_seconds") < 3600
    assert figures.value("in_recovery") == 0
    assert figures.value("max_connections") == 30
    assert figures.value("reserved_connections") == 3
    assert figures.value("wal_bytes") >= 16 * 1024**2
    assert figures.value("xid_freeze_max_age_transactions") == 200_000_000
    assert figures.value("xid_age_max_transactions") == 300_000_000
    assert figures.value("multixact_freeze_max_age") == 400_000_000


async def test_connections_by_what_they_do_and_the_oldest_transaction(
    postgres: PostgresServer, database: str, password: Path
) -> None:
    with contextlib.ExitStack() as stack:
        idle, transaction, failed = (stack.enter_context(postgres.connect(database)) for _ in range(3))
        idle.execute("SELECT 1")
        ((begun,),) = postgres.sql("SELECT extract(epoch FROM clock_timestamp())::float8")
        transaction.execute("BEGIN").execute("SELECT 1")
        failed.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            failed.execute("SELECT 1/0")
        figures = await figures_of(settings(postgres, password, databases=[database]))
        state = "connections"
        assert figures.value(state, state="active") == 1  # Upkeeper's own
        assert figures.value(state, state="idle") >= 1
        assert figures.value(state, state="idle in transaction") == 1
        assert figures.value(state, state="idle in transaction (aborted)") == 1
        assert figures.value(state, state="unknown") == 0
        oldest = figures.value("oldest_transaction_start_timestamp_seconds", datname=database)
        assert begun <= oldest < begun + 60
    figures = await figures_of(settings(postgres, password, databases=[database]))
    assert figures.get("oldest_transaction_start_timestamp_seconds", datname=database) is None


async def test_a_prepared_transaction_counts_as_open(
    postgres_factory: Callable[..., PostgresServer], password: Path
) -> None:
    server = postgres_factory(max_prepared_transactions="2")
    with server.connect() as connection:
        connection.execute("BEGIN").execute("CREATE TABLE forgotten ()").execute("PREPARE TRANSACTION 'forgotten'")
    figures = await figures_of(settings(server, password))
    assert figures.value("oldest_transaction_start_timestamp_seconds", datname="postgres") > time.time() - 3600


async def test_dead_rows_and_the_last_vacuum_and_analyze(
    postgres: PostgresServer, database: str, password: Path
) -> None:
    table = f'public."{ODD.replace(chr(34), chr(34) * 2)}"'
    postgres.sql(
        f"CREATE TABLE {table} AS SELECT i, i::text AS t FROM generate_series(1, 10000) AS i",
        f"DELETE FROM {table} WHERE i <= 2500",
        dbname=database,
    )
    labels = {"datname": database, "relname": table}
    async with collecting(settings(postgres, password)) as collector:

        async def counted() -> Figures | None:
            found = Figures(await collector.collect())
            return found if found.get("table_dead_tuples", **labels) == 2500 else None

        figures = await wait_until(counted, what="the dead rows to be counted")
        assert figures.value("table_live_tuples", **labels) == 7500
        assert figures.get("last_vacuum_timestamp_seconds", **labels) is None
        assert figures.get("table_bloat_bytes_estimate", **labels) is None  # never analyzed
        before = time.time()
        postgres.sql(f"VACUUM ANALYZE {table}", dbname=database)

        async def vacuumed() -> Figures | None:
            found = Figures(await collector.collect())
            return found if found.get("last_analyze_timestamp_seconds", **labels) else None

        figures = await wait_until(vacuumed, what="the vacuum to be noted")
        assert figures.value("table_dead_tuples", **labels) == 0
        assert before - 1 < figures.value("last_vacuum_timestamp_seconds", **labels) < before + 60
        assert before - 1 < figures.value("last_analyze_timestamp_seconds", **labels) < before + 60
        ((real,),) = postgres.sql(f"SELECT pg_relation_size('{table}')", dbname=database)
        assert figures.value("table_size_bytes", **labels) == real


async def test_databases_of_any_name_and_those_that_are_left_out(
    postgres: PostgresServer, database: str, password: Path
) -> None:
    postgres.sql(f"CREATE DATABASE {ODD_QUOTED}")
    try:
        postgres.sql("CREATE TABLE t ()", dbname=ODD)
        async with collecting(settings(postgres, password)) as collector:
            figures = Figures(await collector.collect())
            assert figures.labels("database_size_bytes", "datname") == {"postgres", database, ODD}
            assert figures.value("table_live_tuples", datname=ODD, relname="public.t") == 0
            ((real,),) = postgres.sql(f"SELECT pg_database_size('{database}')")
            assert figures.value("database_size_bytes", datname=database) == pytest.approx(real, rel=0.05)
        figures = await figures_of(settings(postgres, password, exclude_databases=[ODD]))
        assert figures.labels("database_size_bytes", "datname") == {"postgres", database}
        assert figures.labels("xid_age_transactions", "datname") >= {"template0", "template1", ODD}
        figures = await figures_of(settings(postgres, password, databases=[ODD]))
        assert figures.labels("table_live_tuples", "datname") == {ODD}
        assert figures.labels("deadlocks_total", "datname") == {ODD}
    finally:
        postgres.sql(f"DROP DATABASE {ODD_QUOTED} WITH (FORCE)")


async def test_the_age_of_transactions(postgres: PostgresServer, password: Path) -> None:
    query = "SELECT age(datfrozenxid)::int FROM pg_database WHERE datname = 'template0'"
    with postgres.connect() as connection:
        for _ in range(200):
            connection.execute("SELECT pg_current_xact_id()")  # takes one
        ((before,),) = connection.execute(query.encode()).fetchall()
        figures = await figures_of(settings(postgres, password))
        ((after,),) = connection.execute(query.encode()).fetchall()
    assert 200 <= before <= figures.value("xid_age_transactions", datname="template0") <= after + 1


async def test_the_age_of_multixacts(postgres: PostgresServer, database: str, password: Path) -> None:
    postgres.sql("CREATE TABLE shared AS SELECT 1 AS i", dbname=database)
    before = (await figures_of(settings(postgres, password))).value("multixact_age", datname="template0")
    with postgres.connect(database) as one, postgres.connect(database) as two:
        for _ in range(5):
            for connection in (one, two):  # a row that two share is held by a multixact
                connection.execute("BEGIN").execute("SELECT * FROM shared FOR SHARE")
            for connection in (one, two):
                connection.execute("COMMIT")
    after = (await figures_of(settings(postgres, password))).value("multixact_age", datname="template0")
    assert after - before == 5


async def test_an_invalid_and_an_unused_index(postgres: PostgresServer, database: str, password: Path) -> None:
    postgres.sql(
        "CREATE TABLE t (i int PRIMARY KEY, same int, other int)",
        "INSERT INTO t SELECT i, 1, i FROM generate_series(1, 100000) AS i",
        'CREATE INDEX "Unused" ON t (other)',
        dbname=database,
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        postgres.sql("CREATE UNIQUE INDEX CONCURRENTLY never_built ON t (same)", dbname=database)
    async with collecting(settings(postgres, password)) as collector:
        figures = Figures(await collector.collect())
        assert figures.value("index_invalid", datname=database, relname="public.never_built") == 1
        assert figures.labels("index_unused_bytes", "relname") == {'public."Unused"'}  # the primary key is not named
        ((real,),) = postgres.sql("""SELECT pg_relation_size('"Unused"')""", dbname=database)
        assert figures.value("index_unused_bytes", datname=database) == real
        postgres.sql(
            "DROP INDEX never_built", "SET enable_seqscan = off", "SELECT * FROM t WHERE other = 7", dbname=database
        )

        async def used() -> bool:
            found = Figures(await collector.collect())
            return found.get("index_invalid") is None and found.get("index_unused_bytes") is None

        await wait_until(used, what="the index to be gone, and the other one used")


async def test_deadlocks_and_the_cache_are_counted(postgres: PostgresServer, database: str, password: Path) -> None:
    postgres.sql("CREATE TABLE t AS SELECT i FROM generate_series(1, 2) AS i", dbname=database)
    with postgres.connect(database) as one, postgres.connect(database) as two:
        for connection, row in ((one, 1), (two, 2)):
            connection.execute("BEGIN")
            connection.execute("UPDATE t SET i = i WHERE i = %s", [row])
        errors: list[Exception] = []

        def cross(connection: "psycopg.Connection[object]", row: int) -> None:
            try:
                connection.execute("UPDATE t SET i = i WHERE i = %s", [row])
            except psycopg.errors.DeadlockDetected as error:
                errors.append(error)
                connection.execute("ROLLBACK")

        crossing = [threading.Thread(target=cross, args=arguments) for arguments in ((one, 2), (two, 1))]
        for thread in crossing:
            thread.start()
        for thread in crossing:
            thread.join()
        assert len(errors) == 1
    async with collecting(settings(postgres, password)) as collector:

        async def counted() -> Figures | None:
            found = Figures(await collector.collect())
            return found if found.get("deadlocks_total", datname=database) == 1 else None

        figures = await wait_until(counted, what="the deadlock to be counted")
        assert figures.value("blocks_hit_total", datname=database) > 0
        assert figures.get("blocks_read_total", datname=database) is not None


async def test_a_connection_that_waits_for_a_lock(postgres: PostgresServer, database: str, password: Path) -> None:
    postgres.sql("CREATE TABLE t ()", dbname=database)
    with postgres.connect(database) as holder, postgres.connect(database) as waiter:
        holder.execute("BEGIN").execute("LOCK TABLE t")
        waiting = threading.Thread(target=lambda: waiter.execute("LOCK TABLE t"), daemon=True)
        waiter.execute("BEGIN")
        waiting.start()
        async with collecting(settings(postgres, password)) as collector:

            async def seen() -> bool:
                return Figures(await collector.collect()).value("lock_waiting_connections") == 1

            await wait_until(seen, what="the waiting connection")
        holder.execute("ROLLBACK")
        waiting.join()


async def test_a_slot_that_nobody_reads_retains_wal(postgres: PostgresServer, password: Path) -> None:
    postgres.sql("SELECT pg_create_physical_replication_slot('left_behind', true)")
    try:
        postgres.sql(
            "CREATE TABLE fill AS SELECT i, repeat('x', 500) AS t FROM generate_series(1, 20000) AS i",
            "DROP TABLE fill",
        )
        ((real,),) = postgres.sql(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 FROM pg_replication_slots"
        )
        figures = await figures_of(settings(postgres, password))
        assert figures.value("slot_active", slot="left_behind") == 0
        assert figures.value("slot_retained_bytes", slot="left_behind") >= real > 10 * 1024**2
        assert figures.value("slot_retained_bytes", slot="left_behind") == pytest.approx(real, rel=0.05)
    finally:
        postgres.sql("SELECT pg_drop_replication_slot('left_behind')")


async def test_a_running_vacuum_shows_its_progress(postgres: PostgresServer, database: str, password: Path) -> None:
    postgres.sql(
        "CREATE TABLE big AS SELECT i, repeat('x', 200) AS t FROM generate_series(1, 50000) AS i",
        "DELETE FROM big WHERE i % 3 = 0",
        dbname=database,
    )
    async with collecting(settings(postgres, password)) as collector:
        await wait_until(lambda: _table_is_shown(collector, database, "public.big"), what="the table to be shown")
        with postgres.connect(database) as connection:
            connection.execute("SET vacuum_cost_delay = 20").execute("SET vacuum_cost_limit = 1")

            def vacuum() -> None:
                with contextlib.suppress(psycopg.errors.QueryCanceled):
                    connection.execute("VACUUM big")

            running = threading.Thread(target=vacuum)
            running.start()

            async def seen() -> Figures | None:
                found = Figures(await collector.collect())
                return found if found.get("vacuum_scanned_ratio", datname=database, relname="public.big") else None

            figures = await wait_until(seen, what="the vacuum's progress")
            assert 0 < figures.value("vacuum_scanned_ratio") <= 1
            assert figures.value("vacuums", datname=database) == 1
            connection.cancel()
            running.join()


async def _table_is_shown(collector: object, database: str, table: str) -> bool:
    found = Figures(await collector.collect())  # type: ignore[attr-defined]
    return table in found.labels("table_dead_tuples", "relname")


async def test_a_standby_and_its_lag_from_both_ends(
    postgres_factory: Callable[..., PostgresServer], tmp_path: Path, password: Path
) -> None:
    primary = postgres_factory(hot_standby="on")
    standby = PostgresServer(primary.directory / "s", primary.version)
    primary.psql("SELECT 1")
    with (primary.directory / "data" / "pg_hba.conf").open("a") as file:
        file.write("local replication all scram-sha-256\n")
    primary.sql("SELECT pg_reload_conf()")
    standby.clone_of(primary)
    try:
        standby.start()
        async with collecting(settings(primary, password), settings(standby, password, name="standby")) as collector:

            async def caught_up() -> Figures | None:
                found = Figures(await collector.collect())
                behind = found.get("replication_lag_bytes", server="db", standby="standby-1")
                return found if behind == 0 else None

            figures = await wait_until(caught_up, what="the standby to catch up")
            assert figures.value("replication_lag_seconds", server="db", standby="standby-1") < 60
            assert figures.value("in_recovery", server="standby") == 1
            assert figures.value("wal_receivers", server="standby") == 1
            assert figures.value("replay_pending_bytes", server="standby") == 0
            assert figures.get("xid_age_transactions", server="standby", datname="template0") is not None
            standby.sql("SELECT pg_wal_replay_pause()")
            primary.sql("CREATE TABLE t AS SELECT i FROM generate_series(1, 50000) AS i")

            async def behind() -> Figures | None:
                found = Figures(await collector.collect())
                pending = found.get("replay_pending_bytes", server="standby") or 0
                return found if pending > 1024**2 else None

            figures = await wait_until(behind, what="the standby to fall behind")
            assert figures.value("replication_lag_bytes", server="db", standby="standby-1") > 1024**2
            standby.sql("SELECT pg_wal_replay_resume()")
            figures = await wait_until(caught_up, what="the standby to catch up again")
            replayed = figures.value("last_replayed_transaction_timestamp_seconds", server="standby")
            assert time.time() - 300 < replayed < time.time() + 1
            # Without its primary, a standby that starts takes for received what its last WAL segment begins with.
            standby.sql("SELECT pg_create_physical_replication_slot('cascade', true)")
            primary.sql("CREATE TABLE u AS SELECT i FROM generate_series(1, 50000) AS i")
            await wait_until(caught_up, what="the standby to catch up once more")
            primary.terminate()
            standby.terminate()
            standby.start()
            ((replayed_wal,),) = standby.sql(
                "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), restart_lsn)::float8 FROM pg_replication_slots"
            )
            figures = Figures(await collector.collect())
            assert figures.value("replay_pending_bytes", server="standby") == 0
            assert figures.value("slot_retained_bytes", server="standby") == replayed_wal > 1024**2
    finally:
        standby.terminate()
