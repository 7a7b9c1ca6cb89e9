"""One way to use either database: transactions, who waits for whom, hosts and their names."""

import ast
import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

import remediator
from remediator.model.caller import Caller
from remediator.model.errors import NoRoom
from remediator.model.hold import Pause
from remediator.model.run import Request
from remediator.store import alerts, holds, runs
from remediator.store.database import Database
from remediator.store.tables import breaker_resets, pauses
from tests.filesystems import mounted
from tests.postgres_server import PostgresServer
from tests.remediator.stack import alert
from tests.remediator.store.conftest import SHARED, Open, Place, url_of
from tests.smalldisk import fill

COUNT = sa.select(sa.func.count()).select_from(pauses)


def pause(task: str | None = None) -> Pause:
    return Pause(task, "moving house", 1.0, None, Caller("cli", "pat"))


def request(host: str, task: str = "t") -> Request:
    return Request(host=host, task=task, target="x", caller=Caller("cli", "pat"), dry_run=False)


async def test_what_was_written_is_there_and_what_failed_is_not(database: Database) -> None:
    def half(connection: sa.Connection) -> None:
        holds.pause(connection, "kitchen", pause("half"))
        raise RuntimeError("in the middle")

    await database.write(partial(holds.pause, host="kitchen", hold=pause("whole")))
    with pytest.raises(RuntimeError):
        await database.write(half)
    assert [hold.task for hold in await database.read(partial(holds.active_pauses, host="kitchen", now=2.0))] == [
        "whole"
    ]


async def test_a_reader_sees_one_moment(open_for: Open) -> None:
    reader, writer = await open_for("kitchen"), await open_for("kitchen")
    began, go_on = threading.Event(), threading.Event()

    def twice(connection: sa.Connection) -> tuple[int | None, int | None]:
        first = connection.scalar(COUNT)
        began.set()
        assert go_on.wait(30)
        return first, connection.scalar(COUNT)

    reading = asyncio.create_task(reader.read(twice))
    await asyncio.to_thread(began.wait, 30)
    await writer.write(partial(holds.pause, host="kitchen", hold=pause()))
    go_on.set()
    assert await reading == (0, 0)
    assert await reader.read(lambda connection: connection.scalar(COUNT)) == 1


async def test_writers_of_one_host_wait_for_each_other(open_for: Open) -> None:
    """Else what a decision was made from might no longer hold when it is stored."""
    one, other = await open_for("kitchen"), await open_for("kitchen")
    began, go_on = threading.Event(), threading.Event()

    def first(connection: sa.Connection) -> int | None:
        found = connection.scalar(COUNT)
        began.set()
        assert go_on.wait(30)
        holds.pause(connection, "kitchen", pause())
        return found

    writing = asyncio.create_task(one.write(first))
    await asyncio.to_thread(began.wait, 30)
    waiting = asyncio.create_task(other.write(lambda connection: connection.scalar(COUNT)))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert done == set()
    go_on.set()
    assert (await writing, await waiting) == (0, 1)


@pytest.mark.parametrize("place", SHARED, indirect=True)
async def test_writers_of_two_hosts_do_not(open_for: Open) -> None:
    one, other = await open_for("kitchen"), await open_for("cellar")
    began, go_on = threading.Event(), threading.Event()

    def first(connection: sa.Connection) -> None:
        holds.pause(connection, "kitchen", pause())
        began.set()
        assert go_on.wait(30)

    writing = asyncio.create_task(one.write(first))
    await asyncio.to_thread(began.wait, 30)
    await other.write(partial(holds.pause, host="cellar", hold=pause()))
    go_on.set()
    await writing


@pytest.mark.parametrize("place", SHARED, indirect=True)
async def test_a_transaction_that_was_ended_for_another_is_done_again(open_for: Open) -> None:
    """Two hosts that change the same alerts in opposite order: PostgreSQL ends one of them."""
    one, other = await open_for("kitchen"), await open_for("cellar")
    both = threading.Barrier(2, timeout=30)
    await one.write(partial(alerts.accept, received=[(alert(room=room), 1.0) for room in "ab"]))
    times: list[str] = []

    def again(connection: sa.Connection, rooms: str) -> None:
        times.append(rooms)
        alerts.accept(connection, [(alert(room=rooms[0]), 2.0)])
        if len(times) <= 2:
            both.wait()
        alerts.accept(connection, [(alert(room=rooms[1]), 2.0)])

    await asyncio.gather(one.write(partial(again, rooms="ab")), other.write(partial(again, rooms="ba")))
    assert len(times) >= 3, "the one that was ended may come in the other's way once more"
    looked_at = await one.write(partial(alerts.waiting, now=3.0, limit=10))
    assert [each.receptions for each in looked_at] == [3, 3]


@pytest.mark.parametrize("place", SHARED, indirect=True)
async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="read-only transaction"):
        await database.read(partial(holds.pause, host="kitchen", hold=pause()))


@pytest.mark.parametrize("place", SHARED, indirect=True)
async def test_hosts_that_start_at_once_migrate_one_after_the_other(place: Place) -> None:
    hosts = [Database(place, host=name) for name in ("kitchen", "cellar", "attic")]
    await asyncio.gather(*(database.migrate() for database in hosts))
    for database in hosts:
        await database.write(partial(holds.pause, host=database.host, hold=pause()))
    assert await hosts[0].read(lambda connection: connection.scalar(COUNT)) == 3
    for database in hosts:
        await database.close()


async def test_hosts_in_one_database_keep_out_of_each_others_way(open_for: Open, place: Place) -> None:
    if isinstance(place, Path):
        kitchen = cellar = await open_for("kitchen")  # a file is one machine's, and still tells hosts apart
    else:
        kitchen, cellar = await open_for("kitchen"), await open_for("cellar")
    mine = await kitchen.write(partial(runs.create, request=request("kitchen"), now=1.0))
    theirs = await cellar.write(partial(runs.create, request=request("cellar"), now=1.0))
    with pytest.raises(sa.exc.IntegrityError):
        await kitchen.write(partial(runs.create, request=request("kitchen"), now=1.0))
    for database, host, own in ((kitchen, "kitchen", mine), (cellar, "cellar", theirs)):
        assert await database.read(partial(runs.unfinished, host=host)) == [own]


async def test_a_renamed_machine_keeps_its_holds_and_its_runs(tmp_path: Path) -> None:
    def of(host: str) -> Database:
        return Database(tmp_path / "upkeeper.db", host=host)

    for host, at in (("kitchen", 3.0), ("cellar", 2.0)):  # as if the file had been copied from another machine too
        database = of(host)
        await database.migrate()
        closed = partial(holds.close_breaker, task="t", target="x", caller=Caller("cli"), now=at)
        await database.write(partial(closed, host=host))
        if host == "kitchen":
            await database.write(partial(holds.pause, host=host, hold=pause("t")))
            run_id = await database.write(partial(runs.create, request=request(host), now=1.0))
        await database.close()
    renamed = of("hall")
    await renamed.migrate()
    in_force = await renamed.read(partial(holds.active_pauses, host="hall", now=4.0))
    assert [hold.reason for hold in in_force] == ["moving house"]
    resets = sa.select(breaker_resets.c.host, breaker_resets.c.at)
    assert await renamed.read(lambda connection: connection.execute(resets).all()) == [("hall", 2.0)]
    assert await renamed.read(partial(runs.unfinished, host="hall")) == [run_id]
    await renamed.close()


@pytest.mark.parametrize("place", SHARED, indirect=True)
async def test_the_rows_of_other_hosts_stay_theirs(open_for: Open) -> None:
    kitchen = await open_for("kitchen")
    await kitchen.write(partial(holds.pause, host="kitchen", hold=pause()))
    cellar = await open_for("cellar")
    assert await cellar.read(partial(holds.active_pauses, host="cellar", now=2.0)) == []
    assert len(await cellar.read(partial(holds.active_pauses, host="kitchen", now=2.0))) == 1


@pytest.mark.servers
async def test_it_goes_on_after_the_server_was_restarted(postgres_factory: Callable[..., PostgresServer]) -> None:
    server = postgres_factory(15)
    database = Database(url_of(server, "postgres"), host="kitchen")
    await database.migrate()
    await database.write(partial(holds.pause, host="kitchen", hold=pause()))
    server.terminate()
    with pytest.raises(sa.exc.OperationalError):
        await database.read(lambda connection: connection.scalar(COUNT))
    server.start()
    assert await database.read(lambda connection: connection.scalar(COUNT)) == 1
    await database.write(partial(holds.pause, host="kitchen", hold=pause("t")))
    await database.close()


@pytest.mark.servers
async def test_a_server_without_room_is_named(postgres_factory: Callable[..., PostgresServer]) -> None:
    server = postgres_factory(15)
    with mounted(server.directory / "small", "tmpfs", 48 * 1024 * 1024) as small:
        shutil.chown(small, server.directory.owner(), server.directory.group())
        server.sql(f"CREATE TABLESPACE small LOCATION '{small}'", "CREATE DATABASE here TABLESPACE small")
        told: list[str] = []
        database = Database(url_of(server, "here"), told.append, host="kitchen")
        await database.migrate()
        made = fill(small)
        received = [(replace(alert(room=str(number)), annotations={"padding": os.urandom(8000).hex()}), 1.0)
                    for number in range(100)]  # fmt: skip
        with pytest.raises(NoRoom, match=r"disk of the PostgreSQL server is full.*127\.0\.0\.1, database here"):
            await database.write(partial(alerts.accept, received=received))
        assert told[-1].startswith("the disk of the PostgreSQL server is full")
        assert await database.read(alerts.next_due) is None
        for path in made:
            path.unlink()
        await database.write(partial(alerts.accept, received=received))
        assert told[-1] == ""
        await database.close()
        server.sql("DROP DATABASE here", "DROP TABLESPACE small")


async def test_a_write_that_changes_nothing_tells_nothing_of_room(tmp_path: Path) -> None:
    """On a full disk it succeeds where others fail, and said in turn that there was room and that there was none."""
    told: list[str] = []
    database = Database(tmp_path / "upkeeper.db", told.append, host="kitchen")
    await database.migrate()
    told.clear()
    await database.write(partial(holds.resume, host="kitchen", caller=Caller("cli", "pat"), now=9.0, task=None))
    assert told == []
    await database.write(partial(holds.pause, host="kitchen", hold=pause()))
    assert told == [""]
    await database.require_room()
    await database.close()


@pytest.mark.parametrize("place", ["mysql://pat:s3cret@host/db", "s3cret", "sqlite://"])
def test_another_kind_of_database_is_refused_without_a_secret(place: str) -> None:
    with pytest.raises(ValueError, match="database") as refusal:
        Database(place)
    assert "s3cret" not in str(refusal.value)


def test_sqlite_takes_nothing_of_postgresql_into_memory(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from functools import partial\n"
        "from remediator.store import alerts, pages; from remediator.store.database import Database\n"
        "database = Database(Path(sys.argv[1])); asyncio.run(database.migrate())\n"
        "print([name for name in sys.modules if name.startswith(('psycopg', 'sqlalchemy.dialects.postgresql'))])"
    )
    path = str(tmp_path / "upkeeper.db")
    for _ in ("which also migrates", "which has nothing to migrate"):
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_seam_knows_dialects() -> None:
    """Migrations apart, which are of one moment, and tasks, which look after servers of the user's."""
    root = Path(remediator.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        ours = not path.relative_to(root).as_posix().startswith(("tasks/", "servers/"))
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if any("sqlalchemy.dialects" in name or (ours and name == "psycopg") for name in [*names, module]):
                found.add(path.relative_to(root).as_posix())
    assert found == {"store/upsert.py", "store/presence.py"}
