"""performance-check: on this machine, on real database servers, and of moments that are made."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.collectors.host import HostCollector
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.host import Host
from remediator.evidence.processes import Process
from remediator.model.task import Action, TaskError
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.performance.check import PerformanceCheck
from remediator.tasks.performance.host import Collected, Moment, rows
from remediator.tasks.performance.queries import postgres as ask_postgres
from remediator.tasks.performance.rows import UseRow
from tests.exporter.postgres.figures import settings
from tests.postgres_server import PostgresServer, private_postgres

GIB = 1024**3


def host() -> HostCollector:
    return HostCollector(Host(), CollectorSettings(interval=15.0, deadline=10.0))


def moment(at: float, **figures: float) -> Moment:
    """figures: by metric and, behind two underscores, the one label's value."""
    named = {}
    for key, value in figures.items():
        name, _, which = key.partition("__")
        label = "container" if name.startswith("container") else "mode" if name.endswith("cpu_seconds_total") else ""
        named[f"upkeeper_{name}", ((label, which),) if which else ()] = value
    busy = Process(7, "java", "R", 2 * GIB, at, 100)
    return Moment(at, named, [busy], {"read": int(at * 1024), "written": 0, "received": 5, "sent": int(at * 2048)})


def test_of_two_moments_rates_are_made() -> None:
    steady = {
        "host_cpus": 4.0, "host_memory_total_bytes": 8.0 * GIB, "host_memory_available_bytes": 2.0 * GIB,
        "container_memory_working_set_bytes__db": 1.0 * GIB, "container_memory_limit_bytes__db": 2.0 * GIB,
        "container_memory_working_set_bytes__web": 0.5 * GIB,
    }  # fmt: skip
    before = moment(
        10.0, **steady, host_cpu_seconds_total__user=100, host_cpu_seconds_total__idle=500,
        container_cpu_seconds_total__db=50, container_blkio_write_bytes_total__db=1000,
        container_cpu_seconds_total__reset=50,
    )  # fmt: skip
    after = moment(
        12.0, **steady, host_cpu_seconds_total__user=102, host_cpu_seconds_total__idle=506,
        container_cpu_seconds_total__db=53, container_blkio_write_bytes_total__db=5096,
        container_cpu_seconds_total__reset=1, container_cpu_seconds_total__new=1,
    )  # fmt: skip
    found = {(row.resource, row.who): row for row in rows(before, after)}
    cpu = found["cpu", "host"]
    assert (cpu.value, cpu.share, cpu.detail) == (1.0, 0.25, "of 4 CPUs")
    assert (found["cpu", "container db"].value, found["cpu", "container db"].share) == (1.5, 0.375)
    assert found["cpu", "process java (7)"].value == 1.0
    assert found["memory", "host"].share == 0.75
    assert (found["memory", "container db"].share, found["memory", "container db"].detail) == (0.5, "of its limit")
    assert found["memory", "container web"].detail == "of the host; it has no limit"
    assert found["memory", "process java (7)"].share == 0.25
    assert found["disk", "container db"].value == 2048.0
    assert (found["disk", "host"].value, found["network", "host"].value) == (1024.0, 2048.0)
    assert ("cpu", "container reset") not in found
    assert ("cpu", "container new") not in found


async def test_on_this_machine_it_finds_the_host_and_processes() -> None:
    async def silent() -> tuple[list[UseRow], list[str]]:
        raise TimeoutError

    task = PerformanceCheck(Collected(host(), None), [("db", silent)])
    plan = await task.plan("all")
    assert plan.notes == ["db is left out: it does not answer."]
    assert plan.actions == ()
    found = {(row.resource, row.who.split(" ")[0]) for row in plan.rows if isinstance(row, UseRow)}
    assert {("cpu", "host"), ("memory", "host"), ("memory", "process")} <= found
    assert all(row.share is None or 0 <= row.share <= 1.01 for row in plan.rows if isinstance(row, UseRow))
    with pytest.raises(TaskError, match="performance-check has no actions"):
        await task.apply("all", Action(kind="hurry", object="all", reason="it is slow"))


async def test_a_host_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    empty = HostCollector(Host(), CollectorSettings(interval=15.0, deadline=10.0), proc_root=tmp_path)
    with pytest.raises(TaskError, match="the host could not be measured"):
        await PerformanceCheck(Collected(empty, None), []).measure("all")


@pytest.fixture
def counted() -> Iterator[PostgresServer]:
    """A server that counts its statements."""
    with private_postgres(settings={"shared_preload_libraries": "pg_stat_statements"}) as server:
        yield server


@pytest.mark.servers
async def test_queries_of_a_real_server_and_never_their_data(counted: PostgresServer, tmp_path: Path) -> None:
    door = PostgresDoor(settings(counted, tmp_path / "password"))
    found, notes = await ask_postgres("db", door)
    assert notes == [
        "db: without the extension pg_stat_statements in postgres it is not known which statements take most of the "
        "time."
    ]
    counted.sql(
        'CREATE SCHEMA "odd "" 100%"',
        'CREATE EXTENSION pg_stat_statements SCHEMA "odd "" 100%"',
        "CREATE ROLE r PASSWORD 'hunter2'",
        "SELECT 'hunter2', count(*) FROM generate_series(1, 300000)",
    )
    slow = asyncio.create_task(asyncio.to_thread(counted.sql, "SELECT 'hunter2', pg_sleep(2)"))
    try:
        running: list[UseRow] = []
        while not running and not slow.done():
            found, notes = await ask_postgres("db", door)
            running = [row for row in found if "active" in row.detail]
    finally:
        await slow
    assert notes == []
    assert running[0].detail.startswith("SELECT of ")
    assert running[0].value < 10
    statements = [row for row in found if "since the statistics were reset" in row.detail]
    assert any("count(*)" in row.detail and "generate_series" in row.detail for row in statements)
    assert all(row.who == "db/postgres" and row.share is not None for row in statements)
    assert "hunter2" not in repr(found)
    door.close()
