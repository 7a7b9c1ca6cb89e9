"""The private Docker engine of the tests itself."""

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.dockerd import Dockerd
from tests.helpers import wait_until

pytestmark = pytest.mark.servers


def _processes_of(directory: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(directory) in argument for argument in process.info["cmdline"] or ())
    ]


def _mounts_of(directory: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(directory) in line]


async def test_it_leaves_nothing_behind(dockerd_factory: Callable[[], Dockerd]) -> None:
    engine = dockerd_factory()
    engine.start()
    running = engine.run("running", "sleep 1000")
    engine.run("paused", "sleep 1000").pause()
    engine.run("restarting", "exit 1", restart_policy={"Name": "always"})
    network = engine.network("bridged")
    assert network.id is not None
    bridge = Path("/sys/class/net", f"br-{network.id[:12]}")
    assert bridge.exists()
    running.reload()
    assert running.status == "running"

    engine.close()

    assert not engine.directory.exists()
    assert not bridge.exists()
    assert _processes_of(engine.directory) == []
    assert _mounts_of(engine.directory) == []


async def test_a_killed_engine_leaves_nothing_behind_either(dockerd_factory: Callable[[], Dockerd]) -> None:
    engine = dockerd_factory()
    engine.start()
    engine.run("running", "sleep 1000")
    network = engine.network("bridged")
    assert network.id is not None
    psutil.Process(engine.pid).kill()
    await wait_until(lambda: not engine.alive(), what="dockerd to die")

    engine.close()

    assert not engine.directory.exists()
    assert not Path("/sys/class/net", f"br-{network.id[:12]}").exists()
    assert _processes_of(engine.directory) == []
    assert _mounts_of(engine.directory) == []


async def test_its_data_outlives_a_restart(dockerd_factory: Callable[[], Dockerd]) -> None:
    engine = dockerd_factory()
    engine.start()
    engine.run("sleeper", "sleep 1000")
    engine.terminate()
    assert _processes_of(engine.directory) == []

    engine.start()

    assert [container.name for container in engine.client.containers.list(all=True)] == ["sleeper"]


async def test_every_kind_of_object_can_be_made(clean_dockerd: Dockerd) -> None:
    image = clean_dockerd.dangling_image(labels={"a": "b c"})
    clean_dockerd.build(
        "built", f"FROM {clean_dockerd.import_busybox()}\nRUN echo one\nRUN --mount=type=cache,target=/c echo two\n"
    )
    healthy = clean_dockerd.run("healthy", "sleep 1000", healthcheck="true")
    sick = clean_dockerd.run("sick", "sleep 1000", healthcheck="false")

    def health(name: str) -> str:
        return str(clean_dockerd.client.api.inspect_container(name)["State"]["Health"]["Status"])

    await wait_until(lambda: health(healthy.name or ""), equals="healthy")
    await wait_until(lambda: health(sick.name or ""), equals="unhealthy")
    assert clean_dockerd.client.images.get(image).labels == {"a": "b c"}
    assert clean_dockerd.client.df()["BuildCache"]

    clean_dockerd.reset()

    usage = clean_dockerd.client.df()
    assert [usage[kind] or [] for kind in ("Images", "Containers", "Volumes", "BuildCache")] == [[], [], [], []]
