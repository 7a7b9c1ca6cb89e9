"""Containers that vanish, that are not wanted, and a thousand rounds of good and bad looks at them."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator, Sequence

import psutil
import pytest

from exporter.collectors.docker import DockerCollector
from exporter.docker.container_figures import Figures, KernelFiles
from exporter.docker.containers import ListedContainer
from exporter.docker.engine import DockerEngine
from exporter.docker.read_only_engine import ReadOnlyEngine
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.docker import Docker
from tests.dockerd import Dockerd
from tests.exporter.docker.test_real_figures import ELSEWHERE, FOREVER, MIB, made, value
from tests.helpers import rounds as as_asked
from tests.helpers import wait_until

pytestmark = pytest.mark.servers


@pytest.fixture
def engine(clean_dockerd: Dockerd) -> Iterator[DockerEngine]:
    reading = ReadOnlyEngine(clean_dockerd.host)
    yield reading
    reading.close()


class Removing(KernelFiles):
    """Removes a container between the listing and the reading of its files."""

    def __init__(self, dockerd: Dockerd, name: str, roots: Sequence[str] = ()) -> None:
        super().__init__(*roots)
        self._dockerd = dockerd
        self._name = name

    def read(self, containers: Sequence[ListedContainer]) -> dict[str, Figures]:
        if self._name:
            self._dockerd.client.containers.get(self._name).remove(force=True)
            self._name = ""
        return super().read(containers)


@pytest.mark.parametrize("roots", [(), ("/nowhere", "/nowhere")])
async def test_a_container_that_vanishes_while_it_is_looked_at(
    engine: DockerEngine, clean_dockerd: Dockerd, roots: Sequence[str]
) -> None:
    for name in ("stays", "goes"):
        clean_dockerd.run(name, FOREVER)
    collector = made(engine, Removing(clean_dockerd, "goes", roots))
    families = await collector.collect()
    assert value(families, "cpu_seconds_total", "stays")
    assert value(families, "restarts", "goes") == 0
    assert value(families, "cpu_seconds_total", "goes") is None
    families = await collector.collect()
    assert value(families, "cpu_seconds_total", "stays")
    assert value(families, "restarts", "goes") is None


async def test_what_is_chosen(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    pa = {"com.docker.compose.project": "pa"}
    clean_dockerd.run("web", FOREVER, labels={**pa, "com.docker.compose.service": "front"})
    clean_dockerd.run("ignored", FOREVER, labels={**pa, "upkeeper.ignore": ""})
    clean_dockerd.run("pa-job-1", FOREVER, labels=pa)
    clean_dockerd.run("other", FOREVER)
    docker = Docker(projects=["pa"], exclude_containers="-job-")
    collector = DockerCollector(engine, docker, CollectorSettings())
    families = await collector.collect()
    info = next(family for family in families if family.name == "upkeeper_container")
    assert [sample.labels for sample in info.samples] == [
        {
            "container": "web",
            "image": clean_dockerd.import_busybox(),
            "compose_project": "pa",
            "compose_service": "front",
        }
    ]
    assert {container.name for container in collector.containers} == {"web", "ignored", "pa-job-1", "other"}


@pytest.mark.torture
async def test_many_rounds_leave_nothing_behind(dockerd_factory: Callable[[], Dockerd]) -> None:
    """Good ones by both sources, and ones that fail: engine hung, stopped, started again."""
    dockerd = dockerd_factory()
    dockerd.start()
    engine, impatient = ReadOnlyEngine(dockerd.host), ReadOnlyEngine(dockerd.host, timeout=0.05)
    collectors = [made(engine), made(engine, ELSEWHERE), made(impatient)]
    us = psutil.Process()
    rounds = 0

    async def run(count: int, *chosen: DockerCollector) -> None:
        nonlocal rounds
        for number in range(count):
            await chosen[number % len(chosen)].collect()
        rounds += count

    def begin() -> None:
        for name in ("one", "two"):
            dockerd.run(name, FOREVER, mem_limit="64m")

    def settled() -> tuple[int, int]:
        gc.collect()  # a connection that failed is held by its error until then
        return threading.active_count(), us.num_fds()

    begin()
    dockerd.client.close()
    await run(60, collectors[0])
    await run(2, collectors[1])
    with dockerd.hung():
        await run(3, collectors[2])
    await wait_until(lambda: impatient_is_back(collectors[2]))
    held, memory = settled(), us.memory_info().rss
    many = as_asked("ROUNDS", 50, 200)
    await run(3 * many, collectors[0])
    await run(2, collectors[1])
    for _ in range(4):
        with dockerd.hung():
            await run(5, collectors[2])
            assert collectors[2].up is False
        await wait_until(lambda: impatient_is_back(collectors[2]))
    dockerd.terminate()
    await run(many, *collectors)
    assert [each.up for each in collectors] == [False] * 3
    dockerd.start()
    dockerd.client.containers.prune()
    begin()
    dockerd.client.close()
    await run(many, collectors[0])
    await run(2, collectors[1])
    assert [each.up for each in collectors[:2]] == [True] * 2
    assert value(await collectors[0].collect(), "cpu_seconds_total", "one")
    assert rounds >= 5 * many
    # Pools of threads and connections fill up as they are needed, to a few; what leaks is there once a round.
    await wait_until(
        lambda: all(now <= before + 8 for now, before in zip(settled(), held, strict=True)),
        what=f"threads and descriptors as before: {held}, now {settled()}",
    )
    assert us.memory_info().rss - memory < 8 * MIB
    for each in (engine, impatient):
        each.close()


async def impatient_is_back(collector: DockerCollector) -> bool:
    await asyncio.sleep(0)
    await collector.collect()
    return collector.up is True
