"""postgres-maintenance on real servers: what it chooses, does, leaves alone, and says."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from exporter.inventory.postgres import PostgresServer as Settings
from exporter.inventory.postgres_maintenance import PostgresMaintenance as Policy
from remediator.model.task import Action, Plan, TaskError
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_maintenance.indexes import Space
from remediator.tasks.postgres_maintenance.task import PostgresMaintenance
from tests.exporter.postgres.figures import NAME, settings
from tests.helpers import wait_until
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.servers

DATABASE = "kept_fit"
ROOMY = Space(free=2**40, size=2**41)
QUICK = {"lock_timeout": 0.4}


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Each version's server with an empty database."""
    postgres.sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", f"CREATE DATABASE {DATABASE}")
    yield postgres
    postgres.sql(f"DROP DATABASE {DATABASE} WITH (FORCE)")


class Maintained:
    """The task with one server."""

    def __init__(self, server: PostgresServer, admin: Path, **policy: object) -> None:
        self.server = server
        maintenance = Policy(**{**QUICK, "data_directory": "/data", **policy})  # type: ignore[arg-type]
        self.settings: Settings = settings(
            server, admin, dbname=DATABASE, databases=[DATABASE], maintenance=maintenance
        )
        self.door = PostgresDoor(self.settings)
        self.space = ROOMY
        self.task = PostgresMaintenance([self.settings], lambda _: self.door, lambda _: self.space)

    async def plan(self) -> Plan:
        return await self.task.plan(NAME)

    async def action(self, object_: str) -> Action:
        """The one planned for an object."""
        plan = await self.plan()
        found = [action for action in plan.actions if action.object == f"{DATABASE}: {object_}"]
        assert len(found) == 1, plan
        return found[0]

    async def apply(self, action: Action) -> tuple[str, str]:
        effect = await self.task.apply(NAME, action)
        return effect.state, effect.detail


@pytest.fixture
def maintained(database: PostgresServer, tmp_path: Path) -> Maintained:
    return Maintained(database, tmp_path / "password")


def lay(server: PostgresServer, table: str = "t", rows: int = 4000) -> None:
    """A table half of whose rows are dead, analyzed before they died."""
    server.sql(
        f"CREATE TABLE {table} AS SELECT i, 'row ' || i AS t FROM generate_series(1, {rows}) AS i",
        server.flush,  # else these rows are counted after the vacuum has counted them
        f"VACUUM ANALYZE {table}",
        f"DELETE FROM {table} WHERE i % 2 = 0",
        server.flush,
        dbname=DATABASE,
    )


async def seen(maintained: Maintained, name: str, kind: str) -> Action:
    """The action, once the server's counters tell of what it is needed for."""

    async def planned() -> Action | None:
        plan = await maintained.plan()
        label = f"{DATABASE}: {name}"
        return next((one for one in plan.actions if (one.object, one.kind) == (label, kind)), None)

    return await wait_until(planned, what=f"{kind} of {name} to be planned")


async def test_dead_rows_are_vacuumed_once(maintained: Maintained) -> None:
    server = maintained.server
    lay(server, '"odd "" name"')
    name = 'public.odd " name'
    action = await seen(maintained, name, "vacuum")
    assert action.reason == "2000 rows of 4000 (50%) dead"
    (row,) = [row for row in (await maintained.plan()).rows if row.model_dump()["object"] == name]
    assert row.model_dump()["dead"] == 2000
    before = await maintained.task.measure(NAME)
    assert await maintained.apply(action) == ("done", "2000 dead rows removed")
    after = await maintained.task.measure(NAME)
    assert maintained.task.improved(before, after)
    assert not maintained.task.improved(after, after)
    assert await maintained.apply(action) == ("skipped", "it does not need it any more")
    assert not (await maintained.plan()).actions


async def test_what_was_never_analyzed_is_analyzed_and_partitions_too(maintained: Maintained) -> None:
    maintained.server.sql(
        "CREATE TABLE parent (i int) PARTITION BY RANGE (i)",
        "CREATE TABLE child PARTITION OF parent FOR VALUES FROM (0) TO (1000)",
        "INSERT INTO parent SELECT generate_series(1, 900)",
        dbname=DATABASE,
    )
    for name in ("public.child", "public.parent"):
        action = await seen(maintained, name, "analyze")
        assert action.reason == "never analyzed"
        assert await maintained.apply(action) == ("done", "analyzed")
    assert not (await maintained.plan()).actions


async def test_what_an_upgrade_left_without_statistics_is_analyzed(maintained: Maintained) -> None:
    """As pg_upgrade leaves a table: rows, and no word of them in catalog or counters."""
    maintained.server.sql(
        "CREATE TABLE large AS SELECT i, 'row ' || i AS t FROM generate_series(1, 40000) AS i",
        "CREATE TABLE empty (i int)",
        "SELECT pg_stat_reset()",
        dbname=DATABASE,
    )
    before = await maintained.task.measure(NAME)
    assert (before.breached, before.values["tables_unknown"]) == (True, 1)
    action = await maintained.action("public.large")
    assert (action.kind, action.reason) == ("analyze", "never analyzed")
    assert await maintained.apply(action) == ("done", "analyzed")
    after = await maintained.task.measure(NAME)
    assert (after.breached, after.values["tables_unknown"]) == (False, 0)
    assert not (await maintained.plan()).actions


async def test_old_rows_are_frozen(database: PostgresServer, tmp_path: Path) -> None:
    """A server lets nobody wait for fewer than 100,000 transactions: so the limit is a tiny share of its own."""
    maintained = Maintained(database, tmp_path / "password", freeze_age_ratio=1e-7)
    database.sql("CREATE TABLE old AS SELECT 1 AS i", "ANALYZE old", dbname=DATABASE)
    for _ in range(30):
        database.sql("SELECT txid_current()", dbname=DATABASE)
    action = await seen(maintained, "public.old", "freeze")
    state, detail = await maintained.apply(action)
    assert (state, detail.split(";")[0]) == ("done", "0 dead rows removed"), detail
    ((age,),) = database.sql("SELECT age(relfrozenxid) FROM pg_class WHERE relname = 'old'", dbname=DATABASE)
    assert age < 10


async def test_what_an_old_snapshot_keeps_is_named_and_is_no_success(maintained: Maintained) -> None:
    """The server's own word is success: VACUUM, last_vacuum set."""
    server = maintained.server
    lay(server)
    server.sql("VACUUM t", dbname=DATABASE)
    with server.connect(DATABASE) as old:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").execute("SELECT count(*) FROM t")
        pid = old.info.backend_pid
        server.sql("DELETE FROM t WHERE i % 4 = 1", dbname=DATABASE)
        action = await seen(maintained, "public.t", "vacuum")
        with pytest.raises(TaskError, match=rf"in vain: 1000 dead rows stay, which process {pid} \(user admin"):
            await maintained.apply(action)
    assert (await maintained.apply(action))[0] == "done"


async def test_a_locked_table_is_left_and_the_holder_named(maintained: Maintained) -> None:
    server = maintained.server
    lay(server)
    action = await seen(maintained, "public.t", "vacuum")
    with server.connect(DATABASE) as other:
        other.execute("BEGIN").execute("LOCK TABLE t IN SHARE MODE")
        began = time.monotonic()
        with pytest.raises(TaskError, match=rf"public.t is locked by process {other.info.backend_pid} \(user admin"):
            await maintained.apply(action)
        assert time.monotonic() - began < 10
    assert (await maintained.apply(action))[0] == "done"


async def test_it_gives_way_to_who_waits_for_it(database: PostgresServer, tmp_path: Path) -> None:
    """ALTER TABLE waits for a vacuum by hand as long as that takes, and everybody else for ALTER TABLE."""
    maintained = Maintained(database, tmp_path / "password", lock_timeout=2)
    lay(database, rows=200_000)
    action = await seen(maintained, "public.t", "vacuum")
    waited: list[float] = []

    def alter() -> None:
        with database.connect(DATABASE) as other:
            began = time.monotonic()
            other.execute("ALTER TABLE t ADD COLUMN more int")
            waited.append(time.monotonic() - began)

    with database.connect(DATABASE) as watching:
        watching.execute("SELECT 1")
        applying = asyncio.create_task(slowed(maintained, action))

        async def vacuums() -> bool:
            return bool(watching.execute("SELECT count(*) FROM pg_stat_progress_vacuum").fetchall()[0][0])

        await wait_until(vacuums, what="the vacuum to begin")
        thread = threading.Thread(target=alter)
        thread.start()
        with pytest.raises(TaskError, match=r"given up, as process .* waited for it"):
            await applying
        await asyncio.to_thread(thread.join)
    assert waited[0] < 2


async def slowed(maintained: Maintained, action: Action) -> object:
    """Applies it to a server that vacuums slowly: a large delay after each page."""
    from remediator.servers import postgres as door

    before = dict(door._COST)
    door._COST.update({"vacuum_cost_delay": "50ms", "vacuum_cost_limit": "10"})
    try:
        return await maintained.apply(action)
    finally:
        door._COST.update(before)


async def test_a_cancelled_action_ends_on_the_server_at_once(maintained: Maintained) -> None:
    server = maintained.server
    lay(server, rows=200_000)
    action = await seen(maintained, "public.t", "vacuum")
    with server.connect(DATABASE) as watching:

        async def vacuums() -> int:
            return int(watching.execute("SELECT count(*) FROM pg_stat_progress_vacuum").fetchall()[0][0])

        applying = asyncio.create_task(slowed(maintained, action))
        await wait_until(vacuums, what="the vacuum to begin")
        applying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await applying
        assert await vacuums() == 0


async def test_a_writer_never_waits_longer_than_lock_timeout(database: PostgresServer, tmp_path: Path) -> None:
    """Through vacuum, freeze, analyze, the rebuild of an index and the drop of a leftover."""
    maintained = Maintained(
        database, tmp_path / "password", lock_timeout=1, freeze_age_ratio=1e-7, index_bloat_min=1, index_bloat_ratio=0.1
    )
    lay(database, rows=50_000)
    database.sql(
        "INSERT INTO t SELECT i, 'row ' || i FROM generate_series(50001, 150000) AS i", "CREATE INDEX bloated ON t (t)",
        "DELETE FROM t WHERE i > 50000", "CREATE INDEX bloated_ccnew ON t (t)", "ALTER TABLE t ADD PRIMARY KEY (i)",
        "VACUUM ANALYZE t", "DELETE FROM t WHERE i % 5 = 0", dbname=DATABASE,
    )  # fmt: skip
    for _ in range(30):
        database.sql("SELECT txid_current()", dbname=DATABASE)
    stop, longest, written = threading.Event(), [0.0], [0]

    def write() -> None:
        with database.connect(DATABASE) as other:
            while not stop.is_set():
                began = time.monotonic()
                other.execute("UPDATE t SET t = 'x' WHERE i = (SELECT min(i) FROM t)")
                other.execute("INSERT INTO t SELECT max(i) + 1, 'new' FROM t")
                longest[0] = max(longest[0], time.monotonic() - began)
                written[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        kinds = set()
        for action in (await maintained.plan()).actions:
            if action.object.startswith(f"{DATABASE}: public."):
                kinds.add(action.kind)
                assert (await maintained.apply(action))[0] in ("done", "partial"), action
    finally:
        stop.set()
        thread.join()
    assert kinds == {"freeze", "reindex", "drop-index"}
    assert written[0] > 20
    assert longest[0] < 1


async def test_an_invalid_index_is_rebuilt_and_what_cannot_be_says_why(maintained: Maintained) -> None:
    server = maintained.server
    server.sql("CREATE TABLE u AS SELECT 1 AS i FROM generate_series(1, 2)", "ANALYZE u", dbname=DATABASE)
    with pytest.raises(psycopg.errors.UniqueViolation):
        server.sql("CREATE UNIQUE INDEX CONCURRENTLY lonely ON u (i)", dbname=DATABASE)
    action = await maintained.action("public.lonely")
    assert action.kind == "reindex"
    with pytest.raises(TaskError, match="could not create unique index"):
        await maintained.apply(action)
    assert index_names(server, "u") == {"lonely"}, "what the failed rebuild left is dropped"
    server.sql("DELETE FROM u WHERE ctid = '(0,1)'", dbname=DATABASE)
    state, detail = await maintained.apply(action)
    assert (state, detail) == ("done", "rebuilt, 16 KiB")
    assert server.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'lonely'::regclass", dbname=DATABASE) == [
        (True,)
    ]
    assert await maintained.apply(action) == ("skipped", "the index is gone or has another name")


def index_names(server: PostgresServer, table: str) -> set[str]:
    found = server.sql(f"SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '{table}'::regclass",
                       dbname=DATABASE)  # fmt: skip
    return {str(name) for (name,) in found}


async def test_a_bloated_index_is_rebuilt_where_there_is_room(database: PostgresServer, tmp_path: Path) -> None:
    maintained = Maintained(database, tmp_path / "password", index_bloat_min="1MiB")
    database.sql(
        "CREATE TABLE b AS SELECT i, md5(i::text) AS t FROM generate_series(1, 100000) AS i",
        "CREATE INDEX bloated ON b (t)",
        "CREATE INDEX fine ON b (i)",
        "DELETE FROM b WHERE i > 10000",
        "VACUUM ANALYZE b",
        "REINDEX INDEX fine",
        dbname=DATABASE,
    )
    action = await maintained.action("public.bloated")
    assert action.kind == "reindex"
    ((size,),) = database.sql("SELECT pg_relation_size('bloated')", dbname=DATABASE)
    assert action.estimated_bytes == pytest.approx(size * 0.9, rel=0.1)
    maintained.space = Space(free=size, size=2**30)
    assert [one for one in (await maintained.plan()).actions if one.kind == "reindex"] == []
    (note,) = (await maintained.plan()).notes
    assert "it needs" in note
    state, detail = await maintained.apply(action)
    assert state == "skipped", detail
    maintained.space = ROOMY
    effect = await maintained.task.apply(NAME, action)
    assert effect.state == "done"
    assert effect.freed_bytes == pytest.approx(action.estimated_bytes, rel=0.1)


async def test_leftovers_are_dropped_in_toast_too_and_nothing_else(maintained: Maintained) -> None:
    """A rebuild that is interrupted leaves its new index; a plain REINDEX of the table then makes it valid."""
    server = maintained.server
    server.sql(
        "CREATE TABLE w (i int PRIMARY KEY, t text)",
        "INSERT INTO w SELECT i, repeat(md5(i::text), 200) FROM generate_series(1, 100) AS i",
        "CREATE INDEX mine_ccnew ON w (t)",
        "CREATE INDEX plain ON w (i, t)",
        "VACUUM ANALYZE w",
        dbname=DATABASE,
    )
    with server.connect(DATABASE) as other, server.connect(DATABASE) as broken:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").execute("SELECT count(*) FROM w")
        broken.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            broken.execute("REINDEX TABLE CONCURRENTLY w")
    kept = {"w_pkey", "mine_ccnew", "plain"}
    assert index_names(server, "w") == kept | {f"{name}_ccnew" for name in kept}
    server.sql("REINDEX INDEX plain_ccnew", dbname=DATABASE)
    plan = await maintained.plan()
    dropped = {action.object.removeprefix(f"{DATABASE}: ") for action in plan.actions if action.kind == "drop-index"}
    toast = {name for name in dropped if name.startswith("pg_toast.")}
    assert len(toast) == 1
    assert dropped - toast == {"public.w_pkey_ccnew", "public.mine_ccnew_ccnew", "public.plain_ccnew"}
    for action in plan.actions:
        assert await maintained.apply(action) == ("done", "dropped")
        assert (await maintained.apply(action))[0] == "skipped"
    assert index_names(server, "w") == kept
