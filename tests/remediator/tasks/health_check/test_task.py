"""health-check, with probes of real sockets and containers of a private engine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from exporter.docker.engine import DockerEngine
from exporter.inventory.services import Probe, Service
from remediator.model.task import Action, TaskError
from remediator.tasks.health_check.task import HealthCheck
from tests.dockerd import Dockerd
from tests.helpers import wait_until
from tests.ports import free_port

HANG_GUARD = 60.0


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    """The port of a TCP server that closes each connection."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def service(name: str, *ports: int) -> Service:
    probes = [Probe(name=f"p{at}", url=f"tcp://127.0.0.1:{port}") for at, port in enumerate(ports)]
    return Service(name=name, probes=probes)


async def test_all_pass() -> None:
    async with listening() as port:
        task = HealthCheck([service("web", port, port), service("db", port)])

        measurement, plan = await task.measure("all"), await task.plan("all")

    assert measurement.values == {"web/p0": 1, "web/p1": 1, "db/p0": 1}
    assert (measurement.breached, measurement.detail) == (False, "all 3 checks pass")
    assert plan.actions == ()
    assert [note.split(" in ")[0] for note in plan.notes] == [
        "web/p0: ok, connected",
        "web/p1: ok, connected",
        "db/p0: ok, connected",
    ]


async def test_one_fails() -> None:
    async with listening() as port:
        task = HealthCheck([service("web", port), service("db", free_port())])

        measurement, plan = await task.measure("all"), await task.plan("all")

    assert measurement.values == {"web/p0": 1, "db/p0": 0}
    assert measurement.breached
    assert measurement.detail.startswith("1 of 2 checks fail: db/p0: ")
    assert plan.actions == ()
    assert [note.split(",")[0] for note in plan.notes] == ["db/p0: FAILED", "web/p0: ok"]
    assert not task.improved(measurement, measurement)


async def test_one_service_alone() -> None:
    async with listening() as port:
        task = HealthCheck([service("web", port), service("db", free_port())])

        assert (await task.measure("web")).values == {"web/p0": 1}
        assert (await task.measure("db")).breached
        assert await task.targets() == ["all", "web", "db"]


@pytest.mark.parametrize("target", ["", "ALL", "web/p0", "../web", "web\0", "wеb"])
async def test_only_an_exact_name_selects_a_service(target: str) -> None:
    task = HealthCheck([service("web", 1)])

    for attempt in (task.measure(target), task.plan(target)):
        with pytest.raises(TaskError, match="there is no service"):
            await attempt


async def test_nothing_configured_is_no_failure() -> None:
    measurement = await HealthCheck([]).measure("all")

    assert (measurement.breached, measurement.detail) == (False, "there is nothing to check")


async def test_it_refuses_to_act() -> None:
    with pytest.raises(TaskError, match="has no actions"):
        await HealthCheck([]).apply("all", Action(kind="restart", object="web", reason="none"))


@pytest.mark.servers
async def test_containers_count_by_their_own_health_check(clean_dockerd: Dockerd) -> None:
    clean_dockerd.run("healthy", "sleep 1000", healthcheck="true")
    clean_dockerd.run("sick", "sleep 1000", healthcheck="exit 1")
    clean_dockerd.run("unchecked", "sleep 1000")
    clean_dockerd.run("stopped", "sleep 1000", healthcheck="exit 1").stop()
    engine = DockerEngine(clean_dockerd.host)
    task = HealthCheck([], engine)

    measurement = await wait_until_settled(task)

    assert measurement == {"docker:healthy": 1, "docker:sick": 0}
    assert await task.targets() == ["all", "healthy", "sick"]
    assert (await task.measure("sick")).detail == "1 of 1 checks fail: docker:sick: unhealthy"
    assert not (await task.measure("healthy")).breached
    with pytest.raises(TaskError, match="there is no service, and no container with a health check, named unchecked"):
        await task.measure("unchecked")
    engine.close()


async def wait_until_settled(task: HealthCheck) -> dict[str, float]:
    """The values once no health check is starting any more."""

    async def settled() -> dict[str, float]:
        notes = (await task.plan("all")).notes
        return {} if any("starting" in note for note in notes) else dict((await task.measure("all")).values)

    return await wait_until(settled, what="the health checks to settle")


@pytest.mark.servers
async def test_services_that_containers_declare_are_probed(clean_dockerd: Dockerd) -> None:
    port = free_port()
    labels = {"upkeeper.probe.url": f"http://127.0.0.1:{port}/sh"}
    clean_dockerd.run("web", f"httpd -f -p 127.0.0.1:{port} -h /bin", labels=labels, network_mode="host")
    engine = DockerEngine(clean_dockerd.host)
    task = HealthCheck([service("db", free_port())], engine)

    async def once_it_answers() -> dict[str, float]:
        values = dict((await task.measure("all")).values)
        return values if values["web/live"] == 1 else {}

    values: dict[str, float] = await wait_until(once_it_answers, what="the labelled service")

    assert values == {"db/p0": 0, "web/live": 1}
    assert (await task.measure("web")).values == {"web/live": 1}
    assert await task.targets() == ["all", "db", "web"]
    engine.close()


@pytest.mark.servers
async def test_an_engine_that_hangs_or_stops_is_a_failure(dockerd_factory: Callable[[], Dockerd]) -> None:
    dockerd = dockerd_factory()
    engine = DockerEngine(dockerd.host, timeout=1.0)
    async with listening() as port:
        task = HealthCheck([service("web", port)], engine)

        never_there = await task.measure("all")
        assert (never_there.breached, never_there.values) == (False, {"web/p0": 1})
        notes = (await task.plan("all")).notes
        assert notes[1].startswith("Containers were left out: cannot reach the Docker engine")

        dockerd.start()
        assert (await task.measure("all")).values == {"web/p0": 1}

        with dockerd.hung():
            async with asyncio.timeout(HANG_GUARD):
                hung = await task.measure("all")
        assert (hung.breached, hung.values) == (True, {"web/p0": 1, "docker": 0})

        dockerd.terminate()
        assert (await task.measure("all")).values == {"web/p0": 1, "docker": 0}
        assert (await task.measure("web")).values == {"web/p0": 1}, "a service alone does not need the engine"
    engine.close()
