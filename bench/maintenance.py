"""postgres-maintenance on a server at work: what it costs the application, and how long choosing takes.

pgbench works on a database in turns with and without maintenance of it; before each turn half of the rows of its
largest table are changed, so that there is as much to do. Compared are the seconds in which maintenance worked with the
same ones of the turn before. ``UPKEEPER_BENCH_SECONDS`` says how long a turn is, 12 unless given, and
``UPKEEPER_BENCH_TURNS`` how many there are of each, 4 unless given. The server is PostgreSQL 15, which syncs to disk.
"""

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from bench.processes import our_versions
from bench.report import Goal, Result, Skipped
from bench.stats import percentile
from exporter.base import programs
from exporter.inventory.postgres import PostgresServer as Settings
from exporter.postgres.session import Session
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_maintenance import tables as tables_of
from remediator.tasks.postgres_maintenance.choose import Wants
from remediator.tasks.postgres_maintenance.tables import FACTS, ServerFacts, Table
from remediator.tasks.postgres_maintenance.task import PostgresMaintenance
from tests.postgres_server import DEBIAN, PASSWORD, SUPERUSER, PostgresServer, private_postgres

SECONDS = int(os.environ.get("UPKEEPER_BENCH_SECONDS", "12"))
TURNS = int(os.environ.get("UPKEEPER_BENCH_TURNS", "4"))
TABLES = 10_000
SCALE = 10
CLIENTS = 4
COMMAND = "python -m bench maintenance"
NAME = "bench"
_SETTINGS = {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "128MB", "max_locks_per_transaction": "512"}
_PROGRESS = re.compile(r"^progress: [0-9.]+ s, ([0-9.]+) tps", re.MULTILINE)
_BEGIN = 2
"""Seconds of a turn before maintenance begins."""


def settings(server: PostgresServer, directory: Path, dbname: str) -> Settings:
    """How Upkeeper connects, as the superuser."""
    password = directory / "password"
    if not password.exists():
        password.write_text(PASSWORD + "\n")
    return Settings.model_validate({
        "name": NAME, "host": server.socket, "port": server.port, "user": SUPERUSER, "password_file": str(password),
        "dbname": dbname, "databases": [dbname],
    })  # fmt: skip


async def choosing(server: PostgresServer, directory: Path) -> tuple[float, float, int]:
    """Seconds of choosing among the tables that the server has told of, and of a whole plan; what was chosen."""
    dbname = "many"
    server.sql(f"CREATE DATABASE {dbname}")
    for start in range(0, TABLES, 1000):
        body = f"FOR n IN {start}..{start + 999} LOOP EXECUTE format('CREATE TABLE t%s AS SELECT 1 AS i', n); END LOOP"
        server.sql(f"DO $$ BEGIN {body}; END $$", dbname=dbname)
    given = settings(server, directory, dbname)
    door = PostgresDoor(given)
    times, rows = [], 0
    async with door.looking(dbname) as session:
        facts, tables = await _tables(session)
    wants = Wants(given.maintenance, given.limits, facts)
    for _ in range(5):
        began = time.perf_counter()
        rows = len(wants.choose(dbname, tables, time.time()))
        times.append(time.perf_counter() - began)
    task = PostgresMaintenance([given], lambda _: door)
    began = time.perf_counter()
    await task.plan(NAME)
    return percentile(times, 50), time.perf_counter() - began, rows


async def _tables(session: Session) -> tuple[ServerFacts, list[Table]]:
    facts = ServerFacts(*(await session.rows(FACTS))[0])
    return facts, [Table(*row) for row in await session.rows(tables_of.tables(facts.version_number), True)]


async def pgbench(server: PostgresServer, *arguments: str) -> str:
    """What it printed of its progress. Raises RuntimeError."""
    done = await programs.run(
        [str(DEBIAN / "pgbench"), *arguments, "-h", server.socket, "-p", str(server.port), "-U", SUPERUSER, "app"],
        environment={"PGPASSWORD": PASSWORD}, polite=False,
    )  # fmt: skip
    if done.status != 0:
        raise RuntimeError(f"pgbench: {done.complaint}")
    return done.errors


async def turn(server: PostgresServer, task: PostgresMaintenance | None) -> tuple[list[float], int]:
    """Transactions of each second, and for how many of them maintenance was at work."""
    server.sql("UPDATE pgbench_accounts SET filler = filler WHERE aid % 2 = 0", "CHECKPOINT", dbname="app")
    options = ["-n", "-P", "1", "-c", str(CLIENTS), "-j", "2", "-T", str(SECONDS)]
    loader = asyncio.create_task(pgbench(server, *options))
    began, worked = time.monotonic(), 0
    if task is not None:
        await asyncio.sleep(_BEGIN)
        for action in (await task.plan(NAME)).actions:
            await task.apply(NAME, action)
        worked = max(1, round(time.monotonic() - began - _BEGIN))
    seconds = [float(one) for one in _PROGRESS.findall(await loader)]
    if len(seconds) < SECONDS - 1:
        raise RuntimeError(f"pgbench told of {len(seconds)} seconds only")
    if task is None:
        server.sql("VACUUM pgbench_accounts", dbname="app")
    return seconds, worked


async def run() -> AsyncIterator[Result]:
    """The time of choosing, and the throughput that is left."""
    if not (DEBIAN / "pgbench").exists():
        raise Skipped("pgbench is not installed (Debian package postgresql-15)")
    versions = our_versions() | {"PostgreSQL": "15"}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, private_postgres(15, _SETTINGS) as server:
        directory = Path(name)
        seconds, whole, chosen = await choosing(server, directory)
        yield Result(
            name=f"choosing among {TABLES:,} tables",
            ours=seconds,
            peer=None,
            unit="s",
            goal=Goal("ours", "<", 1.0),
            command=COMMAND,
            versions=versions,
            notes=[
                f"All {chosen:,} that were chosen have never been analyzed. The median of five.",
                f"A whole plan, with asking the server for tables, indexes and what holds them up: {whole:.2f} s.",
            ],
        )
        server.sql("CREATE DATABASE app")
        await pgbench(server, "-i", "-q", "-s", str(SCALE))
        given = settings(server, directory, "app")
        door = PostgresDoor(given)
        task = PostgresMaintenance([given], lambda _: door)
        without, beside, whole_turns, worked_for = [], [], [], 0
        for _ in range(TURNS):
            alone, _ = await turn(server, None)
            both, worked = await turn(server, task)
            meanwhile = slice(_BEGIN, min(_BEGIN + worked, SECONDS - 1))
            worked_for += worked
            without += alone[meanwhile]
            beside += both[meanwhile]
            whole_turns.append(f"{sum(alone) / len(alone):.0f} and {sum(both) / len(both):.0f}")
    yield Result(
        name="pgbench while postgres-maintenance works",
        ours=sum(beside) / len(beside),
        peer=sum(without) / len(without),
        peer_name="without",
        unit="transactions/s",
        goal=Goal("ratio", ">=", 0.9),
        command=COMMAND,
        versions=versions,
        notes=[
            f"Whole turns of {SECONDS} s without and with it: {', '.join(whole_turns)}.",
            f"It worked for {worked_for} of {TURNS * SECONDS} s, on {SCALE * 50_000:,} dead rows and more each time.",
        ],
    )
