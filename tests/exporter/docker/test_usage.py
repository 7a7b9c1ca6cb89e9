"""The docker collectors against a private engine, up, stopped, hung and late."""

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from exporter.collectors.docker import DockerCollector
from exporter.collectors.docker_usage import DockerUsageCollector
from exporter.discovery import discover
from exporter.docker.engine import DockerEngine
from exporter.docker.objects import read_usage
from exporter.docker.read_only_engine import ReadOnlyEngine
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.docker import Docker
from exporter.inventory.inventory import Inventory
from tests.docker_images import root_tar
from tests.dockerd import Dockerd
from tests.exporter.process import ExporterProcess
from tests.helpers import require_program, wait_until

FOREVER = "sleep 100000"
CPU = "upkeeper_container_cpu_seconds_total"

QUICK = """
docker: {{host: '{host}'}}
collectors:
  filesystem: {{enabled: false}}
  services: {{interval: 100ms}}
  docker: {{interval: 100ms, deadline: 4s}}
  docker_usage: {{interval: 100ms, deadline: 5s}}
"""


@pytest.fixture
def engine(clean_dockerd: Dockerd) -> Iterator[DockerEngine]:
    made = ReadOnlyEngine(clean_dockerd.host)
    yield made
    made.close()


@pytest.fixture
def collector(engine: DockerEngine) -> DockerCollector:
    return DockerCollector(engine, Docker(), CollectorSettings())


def sets(families: Sequence[Metric], metric: str) -> dict[str, str]:
    """The state of each container in a stateset."""
    return {
        sample.labels["container"]: sample.labels[metric]
        for family in families
        for sample in family.samples
        if sample.name == metric and sample.value
    }


def value(families: Sequence[Metric], metric: str, **labels: str) -> float | None:
    for family in families:
        for sample in family.samples:
            if sample.name == metric and sample.labels == labels:
                return float(sample.value)
    return None


@pytest.mark.servers
async def test_every_state_and_health(collector: DockerCollector, clean_dockerd: Dockerd) -> None:
    clean_dockerd.run("running", FOREVER)
    clean_dockerd.run("created", FOREVER, start=False)
    clean_dockerd.run("exited", "exit 3").wait()
    clean_dockerd.run("paused", FOREVER).pause()
    clean_dockerd.run("well", FOREVER, healthcheck="true")
    clean_dockerd.run("ill", FOREVER, healthcheck="false")
    clean_dockerd.run("waiting", FOREVER, healthcheck="sleep 100")
    clean_dockerd.run("crashing", "exit 1", restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
    clean_dockerd.run("looping", "exit 1", restart_policy={"Name": "always"})
    expected = {
        "running": ("running", "none"),
        "created": ("created", "none"),
        "exited": ("exited", "none"),
        "paused": ("paused", "none"),
        "well": ("running", "healthy"),
        "ill": ("running", "unhealthy"),
        "waiting": ("running", "starting"),
        "crashing": ("exited", "none"),
        "looping": ("restarting", "none"),
    }
    families: Sequence[Metric] = ()

    async def settled() -> bool:
        nonlocal families
        families = await collector.collect()
        states, health = sets(families, "upkeeper_container_state"), sets(families, "upkeeper_container_health")
        return {name: (state, health[name]) for name, state in states.items()} == expected

    await wait_until(settled, what="every state")
    assert value(families, "upkeeper_docker_up") == 1
    assert value(families, "upkeeper_container_restarts", container="crashing") == 2
    used = {each for each in expected if value(families, CPU, container=each)}
    assert (
        {"running", "paused", "well", "ill", "waiting"} <= used <= expected.keys() - {"created", "exited", "crashing"}
    )
    clean_dockerd.client.containers.get("paused").unpause()


@pytest.mark.servers
async def test_a_restart_by_hand_makes_the_restarts_fall(collector: DockerCollector, clean_dockerd: Dockerd) -> None:
    clean_dockerd.run("web", "test -e /ok || exit 1; sleep 100000", restart_policy={"Name": "on-failure"})

    async def restarts() -> float | None:
        return value(await collector.collect(), "upkeeper_container_restarts", container="web")

    await wait_until(restarts, what="a restart by the policy")
    container = clean_dockerd.client.containers.get("web")
    container.stop(timeout=0)
    container.put_archive("/", root_tar({"ok": b""}))
    container.start()
    assert await restarts() == 0


def decimal_bytes(text: str) -> float:
    """``12.3kB`` of the Docker CLI."""
    match = re.fullmatch(r"([\d.]+)([kMGT]?)B", text)
    assert match is not None
    return float(match[1]) * 1000 ** " kMGT".index(match[2] or " ")


@pytest.mark.servers
async def test_usage_is_what_docker_system_df_says(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    running = clean_dockerd.run("running", f"dd if=/dev/zero of=/a bs=1000 count=300; touch /done; {FOREVER}")
    clean_dockerd.run("exited", "dd if=/dev/zero of=/a bs=1000 count=200").wait()
    clean_dockerd.dangling_image(500_000)
    clean_dockerd.tagged_image("tagged:1", 700_000)
    clean_dockerd.client.volumes.create("data")
    clean_dockerd.build(
        "built:1", f"FROM {clean_dockerd.import_busybox()}\nRUN dd if=/dev/zero of=/b bs=1000 count=900\n"
    )
    clean_dockerd.client.images.remove("built:1")
    await wait_until(lambda: running.exec_run(["cat", "/done"]).exit_code, equals=0, what="all to be written")
    collector = DockerUsageCollector(engine, Docker(), CollectorSettings(deadline=60))
    families = await collector.collect()
    for kind, (count, size, reclaimable) in told(clean_dockerd).items():
        assert value(families, "upkeeper_docker_objects", kind=kind) == count
        assert value(families, "upkeeper_docker_usage_bytes", kind=kind) == pytest.approx(size, rel=0.01), kind
        measured = value(families, "upkeeper_docker_reclaimable_bytes", kind=kind)
        assert measured == pytest.approx(reclaimable, rel=0.01), kind


def told(dockerd: Dockerd) -> dict[str, tuple[int, float, float]]:
    """Count, bytes and reclaimable bytes by kind: as the engine sums them up, or, before API 1.52, its client."""
    api = dockerd.client.api
    summed = api.get(f"{api.base_url}/v{api.api_version}/system/df").json()
    if "ImageUsage" in summed:
        keys = {"images": "Image", "containers": "Container", "volumes": "Volume", "build_cache": "BuildCache"}
        figures = {kind: summed[f"{key}Usage"] for kind, key in keys.items()}
        return {
            kind: (each.get("TotalCount", 0), each.get("TotalSize", 0), each.get("Reclaimable", 0))
            for kind, each in figures.items()
        }
    shown = subprocess.run(
        [require_program("docker", "docker.io"), "-H", dockerd.host, "system", "df",
         "--format", "{{.Type}}|{{.TotalCount}}|{{.Size}}|{{.Reclaimable}}"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    kinds = {"Images": "images", "Containers": "containers", "Local Volumes": "volumes", "Build Cache": "build_cache"}
    rows = [line.split("|") for line in shown.splitlines()]
    return {
        kinds[name]: (int(count), decimal_bytes(size), decimal_bytes(reclaimable.split()[0]))
        for name, count, size, reclaimable in rows
    }


@pytest.mark.servers
async def test_what_can_be_cleaned_and_its_limit(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    clean_dockerd.run("exited", "dd if=/dev/zero of=/a bs=1000 count=200").wait()
    image = clean_dockerd.dangling_image(500_000)
    size = next(entry["Size"] for entry in clean_dockerd.client.api.images() if entry["Id"] == image)
    assert size >= 500_000, "the containerd store counts the layers as they came as well"
    now = Docker.model_validate(
        {"cleanable_max_bytes": 1000, "cleanup": {"containers_min_age": 0, "images_min_age": 0}}
    )
    settings = CollectorSettings(deadline=60)
    families = await DockerUsageCollector(engine, now, settings).collect()
    assert value(families, "upkeeper_docker_cleanable_max_bytes") == 1000
    assert value(families, "upkeeper_docker_cleanable_bytes", kind="containers") == pytest.approx(200_000, rel=0.05)
    assert value(families, "upkeeper_docker_cleanable_bytes", kind="images") == pytest.approx(size, rel=0.01)
    assert value(families, "upkeeper_docker_cleanable_bytes", kind="build_cache") == 0
    later = await DockerUsageCollector(engine, Docker(), settings).collect()
    assert value(later, "upkeeper_docker_cleanable_bytes", kind="images") == 0


@pytest.mark.servers
async def test_two_readers_of_the_usage_do_not_disturb_each_other(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    """Engines before 23 refuse a second reader while the first is busy."""
    clean_dockerd.dangling_image()
    first, *others = await asyncio.gather(*(read_usage(engine) for _ in range(4)))
    assert len(first.images) == 1
    assert [usage.images for usage in others] == [first.images] * 3


@pytest.mark.servers
async def test_a_hung_engine_is_down_metrics_answer_and_it_recovers(tmp_path: Path, clean_dockerd: Dockerd) -> None:
    clean_dockerd.run("running", FOREVER)
    async with ExporterProcess(tmp_path, QUICK.format(host=clean_dockerd.host)) as exporter:
        await wait_until(lambda: exporter.metrics().get(f'{CPU}{{container="running"}}'))
        with clean_dockerd.hung():
            await wait_until(lambda: exporter.metrics()["upkeeper_docker_up"], equals=0)
            assert exporter.metrics()['upkeeper_collector_success{collector="docker"}'] == 1
            assert not [name for name in exporter.metrics() if name.startswith("upkeeper_container_")]
        await wait_until(lambda: exporter.metrics().get(f'{CPU}{{container="running"}}'))
        assert exporter.metrics()["upkeeper_docker_up"] == 1
        await wait_until(
            lambda: exporter.metrics().get('upkeeper_collector_success{collector="docker_usage"}'), equals=1
        )


@pytest.mark.servers
async def test_an_engine_that_starts_late_stops_and_starts_again(
    tmp_path: Path, dockerd_factory: Callable[[], Dockerd]
) -> None:
    dockerd = dockerd_factory()
    async with ExporterProcess(tmp_path, QUICK.format(host=dockerd.host)) as exporter:
        await wait_until(lambda: exporter.get("/-/ready")[0], equals=200)
        assert exporter.metrics()["upkeeper_docker_up"] == 0
        assert exporter.metrics()['upkeeper_collector_success{collector="docker_usage"}'] == 1
        dockerd.start()
        await wait_until(lambda: exporter.metrics()["upkeeper_docker_up"], equals=1)
        await wait_until(lambda: 'upkeeper_docker_objects{kind="images"}' in exporter.metrics())
        dockerd.terminate()
        await wait_until(lambda: exporter.metrics()["upkeeper_docker_up"], equals=0)
        await wait_until(lambda: exporter.metrics()['upkeeper_collector_success{collector="docker_usage"}'], equals=0)
        dockerd.start()
        await wait_until(lambda: exporter.metrics()["upkeeper_docker_up"], equals=1)
        await wait_until(lambda: exporter.metrics()['upkeeper_collector_success{collector="docker_usage"}'], equals=1)
        assert not [line for line in exporter.lines() if line["level"] == "error"]


@pytest.mark.servers
async def test_labels_make_a_container_a_service(tmp_path: Path, clean_dockerd: Dockerd) -> None:
    success = 'upkeeper_probe_success{probe="live",target="web"}'
    async with ExporterProcess(tmp_path, QUICK.format(host=clean_dockerd.host)) as exporter:
        url = f"http://127.0.0.1:{exporter.port}/-/healthy"
        web = clean_dockerd.run("web", FOREVER, labels={"upkeeper.probe.url": url})
        clean_dockerd.run("bad", FOREVER, labels={"upkeeper.probe.url": "gopher://x"})
        await wait_until(lambda: exporter.metrics().get(success), equals=1)
        await wait_until(lambda: [line for line in exporter.lines() if line.get("container") == "bad"])
        exporter.hangup()
        await wait_until(lambda: [line for line in exporter.lines() if line["message"] == "config reloaded"])
        assert exporter.metrics()[success] == 1
        web.remove(force=True)
        await wait_until(lambda: success not in exporter.metrics())


@pytest.mark.servers
async def test_discovery(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    labels = {"upkeeper.probe.url": "http://127.0.0.1:1/"}
    clean_dockerd.run("web", FOREVER, labels=labels, healthcheck="true")
    clean_dockerd.run("known", FOREVER, labels=labels)
    clean_dockerd.run("bad", FOREVER, labels={"upkeeper.probe.url": "gopher://x"})
    inventory = Inventory.model_validate({"services": [{"name": "known", "probes": [{"url": "http://127.0.0.1:2/"}]}]})
    found = await discover(inventory, engine)
    assert (found.docker_version is not None, found.docker_problem) == (True, "")
    assert {container.name for container in found.containers} == {"web", "known", "bad"}
    assert [container.name for container in found.health_checked] == ["web"]
    assert [service.name for service in found.services] == ["web"]
    assert list(found.label_problems) == ["bad"]
    assert [each.mountpoint for each in found.filesystems].count("/") <= 1


async def test_discovery_without_docker(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/nowhere.sock")
    found = await discover(Inventory(), engine)
    engine.close()
    assert found.docker_version is None
    assert "cannot reach the Docker engine" in found.docker_problem
    assert found.containers == ()
