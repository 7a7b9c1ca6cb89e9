"""Figures of real containers against what the engine itself says of them."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric

from exporter.collectors.docker import DockerCollector
from exporter.docker.container_figures import KernelFiles
from exporter.docker.engine import DockerEngine
from exporter.docker.read_only_engine import ReadOnlyEngine
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.docker import Docker
from tests.dockerd import Dockerd
from tests.helpers import missing, wait_until

pytestmark = pytest.mark.servers

FOREVER = "sleep 100000"
MIB = 1024**2
ELSEWHERE = KernelFiles("/nowhere", "/nowhere")
"""Makes every container look like one of another machine."""


@pytest.fixture
def engine(clean_dockerd: Dockerd) -> Iterator[DockerEngine]:
    made = ReadOnlyEngine(clean_dockerd.host)
    yield made
    made.close()


@pytest.fixture(params=["kernel", "engine"])
def source(request: pytest.FixtureRequest) -> str:
    """Where the figures come from."""
    return str(request.param)


@pytest.fixture
def collector(engine: DockerEngine, source: str) -> DockerCollector:
    return made(engine, ELSEWHERE if source == "engine" else None)


def made(engine: DockerEngine, files: KernelFiles | None = None) -> DockerCollector:
    return DockerCollector(engine, Docker(), CollectorSettings(), files)


def value(families: Sequence[Metric], name: str, container: str) -> float | None:
    found = [
        float(sample.value)
        for family in families
        for sample in family.samples
        if sample.name == f"upkeeper_container_{name}" and sample.labels["container"] == container
    ]
    return found[0] if found else None


def statistics(dockerd: Dockerd, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = dockerd.client.api.stats(name, stream=False, one_shot=True)
    return found


def address(dockerd: Dockerd, name: str, network: str) -> str:
    found = dockerd.client.api.inspect_container(name)["NetworkSettings"]["Networks"][network]["IPAddress"]
    assert found
    return str(found)


async def test_cpu_is_what_the_engine_says_just_before_and_after(
    collector: DockerCollector, clean_dockerd: Dockerd
) -> None:
    clean_dockerd.run("burn", "while true; do :; done")

    async def burnt() -> bool:
        return (value(await collector.collect(), "cpu_seconds_total", "burn") or 0) > 0.5

    await wait_until(burnt)
    before = statistics(clean_dockerd, "burn")["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    measured = value(await collector.collect(), "cpu_seconds_total", "burn")
    after = statistics(clean_dockerd, "burn")["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    assert measured is not None
    assert before <= measured <= after
    assert measured > 0.5


async def test_memory_is_what_the_engine_says(collector: DockerCollector, clean_dockerd: Dockerd) -> None:
    """As docker stats has it: usage without the inactive pages of files."""
    clean_dockerd.run(
        "full", f"dd if=/dev/zero of=/dev/shm/a bs=1M count=20 && touch /dev/shm/done; {FOREVER}", mem_limit="64m"
    )
    clean_dockerd.run("free", FOREVER)

    async def written() -> bool:
        return (value(await collector.collect(), "memory_working_set_bytes", "full") or 0) > 20 * MIB

    await wait_until(written)
    families = await collector.collect()
    memory = statistics(clean_dockerd, "full")["memory_stats"]
    inactive = memory["stats"].get("total_inactive_file", memory["stats"]["inactive_file"])
    measured = value(families, "memory_working_set_bytes", "full")
    assert measured == pytest.approx(memory["usage"] - inactive, abs=2 * MIB)
    assert value(families, "memory_limit_bytes", "full") == 64 * MIB
    assert value(families, "memory_limit_bytes", "free") is None


async def test_traffic_between_two_containers(collector: DockerCollector, clean_dockerd: Dockerd) -> None:
    clean_dockerd.network("between")
    own = {"network": "between", "network_mode": None}
    clean_dockerd.run("server", "mkdir /w; dd if=/dev/zero of=/w/f bs=1M count=5; httpd -f -p 80 -h /w", **own)
    url = f"http://{address(clean_dockerd, 'server', 'between')}/f"
    clean_dockerd.run(
        "client", f"until busybox wget -q -O /dev/null {url}; do sleep 0.1; done; touch /done; {FOREVER}", **own
    )
    clean_dockerd.run("sharer", FOREVER, network_mode="container:server")
    clean_dockerd.run("hosts", FOREVER, network_mode="host")
    clean_dockerd.run("lonely", FOREVER, network_mode="none")
    families: Sequence[Metric] = ()

    async def downloaded() -> bool:
        nonlocal families
        families = await collector.collect()
        return (value(families, "network_receive_bytes_total", "client") or 0) > 5 * MIB

    await wait_until(downloaded)
    received, sent = "network_receive_bytes_total", "network_transmit_bytes_total"
    for name in ("server", "client"):
        said = statistics(clean_dockerd, name)["networks"]["eth0"]
        assert value(families, received, name) == pytest.approx(said["rx_bytes"], abs=MIB)
        assert value(families, sent, name) == pytest.approx(said["tx_bytes"], abs=MIB)
    assert (value(families, sent, "server") or 0) > 5 * MIB
    for name in ("sharer", "hosts", "lonely"):
        assert value(families, "cpu_seconds_total", name)
        assert value(families, received, name) is None
        assert value(families, sent, name) is None


def device_below(directory: Path) -> str:
    """The whole disk that a directory lies on."""
    number = directory.stat().st_dev
    block = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not block.exists():
        missing(f"{directory} lies on no disk whose reads and writes could be counted")
    block = block.resolve()
    return f"/dev/{block.parent.name if (block / 'partition').exists() else block.name}"


async def test_reads_and_writes(collector: DockerCollector, clean_dockerd: Dockerd) -> None:
    """The limits are never reached. With them, late kernels count under cgroup version 1 too."""
    limit = [{"Path": device_below(clean_dockerd.directory), "Rate": 10**11}]
    write, read = "dd if=/dev/zero of=/f bs=1M count=8 oflag=direct", "dd if=/f of=/dev/null bs=1M iflag=direct"
    clean_dockerd.run("io", f"{write} && {read}; {FOREVER}", device_write_bps=limit, device_read_bps=limit)
    families: Sequence[Metric] = ()

    async def read_back() -> bool:
        nonlocal families
        families = await collector.collect()
        return (value(families, "blkio_read_bytes_total", "io") or 0) >= 8 * MIB

    await wait_until(read_back)
    said = statistics(clean_dockerd, "io")["blkio_stats"]["io_service_bytes_recursive"]
    for name, operation in (("blkio_read_bytes_total", "read"), ("blkio_write_bytes_total", "write")):
        total = sum(row["value"] for row in said if row["op"].lower() == operation)
        assert value(families, name, "io") == pytest.approx(total, abs=MIB)
        assert (value(families, name, "io") or 0) >= 8 * MIB


TOO_MUCH = "dd if=/dev/zero of=/dev/null bs=64M count=1"


def told_kills(dockerd: Dockerd, since: float) -> Mapping[str, tuple[int, bool]]:
    """The OOM kills that the engine reported of each container, and whether it says that its last end was one.

    An engine hears of a kill from the kernel's eventfd, and of some not at all: it merges those that come close
    together, and a container that ends at once may take its last one with it.
    """
    until = int(time.time()) + 1  # in whole seconds; the engine answers when that time has come
    events = list(dockerd.client.api.events(int(since), until, {"event": ["oom"]}, decode=True))
    ids = [event["Actor"]["ID"] for event in events]
    return {
        str(container.name): (ids.count(container.id), bool(container.attrs["State"]["OOMKilled"]))
        for container in dockerd.client.containers.list(all=True)
    }


async def test_oom_kills(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    collector, began = made(engine), time.time()
    await collector.collect()
    limited: dict[str, Any] = {"mem_limit": "16m", "memswap_limit": "16m"}
    clean_dockerd.run("child", f"{TOO_MUCH}; {TOO_MUCH}; touch /done; {FOREVER}", **limited)
    itself = clean_dockerd.run("itself", TOO_MUCH.split(), **limited)
    again = clean_dockerd.run(
        "again", TOO_MUCH.split(), restart_policy={"Name": "on-failure", "MaximumRetryCount": 2}, **limited
    )
    clean_dockerd.run("well", FOREVER, **limited)
    done = Path(f"/proc/{clean_dockerd.client.api.inspect_container('child')['State']['Pid']}/root/done")

    async def over() -> bool:
        await collector.collect()
        itself.reload()
        again.reload()
        ended = again.status == itself.status == "exited" and again.attrs["RestartCount"] == 2
        return ended and done.exists()

    await wait_until(over, what="the end of all kills")
    told = told_kills(clean_dockerd, began)
    families = await collector.collect()
    found = {name: (value(families, "oom_kills_total", name), value(families, "oom_killed", name)) for name in told}
    # The kernel's own count is exact while the container runs. Of one that has ended there is what the engine told, and
    # what was seen of a life for itself: at least the one, and never more than there were.
    assert (found["child"], found["well"]) == ((2, False), (0, False))
    for name, most in (("itself", 1), ("again", 3)):
        assert told[name][0] <= (found[name][0] or 0) <= most, name
        assert found[name][1] == told[name][1], name
    assert told["again"][0] <= 3  # a busy engine tells of none at all
    codes = {name: value(families, "exit_code", name) for name in told}
    assert codes == {"child": None, "itself": 137, "again": 137, "well": None}
    assert value(families, "oom_timestamp_seconds", "well") is None
    for name in (name for name in told if told[name][0]):
        assert began - 1 < (value(families, "oom_timestamp_seconds", name) or 0) <= time.time(), name
    assert value(await made(engine).collect(), "oom_kills_total", "child") == 2  # by the kernel's own count
    clean_dockerd.client.containers.get("itself").remove()
    clean_dockerd.run("itself", FOREVER)
    families = await collector.collect()
    assert value(families, "oom_kills_total", "itself") == 0
    assert value(families, "oom_killed", "itself") == 0


KILLED = {"type": "container", "event": "oom", "container": "hungry"}


async def test_how_it_ended_is_known_when_it_runs_again(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    """By its restart policy or by hand, also to an exporter that was started after that."""
    limited: dict[str, Any] = {"mem_limit": "16m", "memswap_limit": "16m"}
    once = "[ -e /second ] && exec sleep 1000; echo > /second; exec"
    policy = {"Name": "on-failure", "MaximumRetryCount": 3}
    clean_dockerd.run("hungry", f"{once} {TOO_MUCH}", restart_policy=policy, **limited)
    clean_dockerd.run("crashed", f"{once} sh -c 'exit 3'").wait()
    crashed = clean_dockerd.client.containers.get("crashed")
    crashed.start()

    def second() -> bool:
        found = clean_dockerd.client.api.inspect_container("hungry")
        return bool(found["RestartCount"] == 1 and found["State"]["Status"] == "running")

    await wait_until(second)
    collector = made(engine)
    for _ in range(2):
        families = await collector.collect()
        assert (value(families, "exit_code", "hungry"), value(families, "exit_code", "crashed")) == (137, 3)
        assert (value(families, "oom_killed", "hungry"), value(families, "oom_killed", "crashed")) == (0, 0)
        at, started = (value(families, f"{kind}_timestamp_seconds", "hungry") or 0 for kind in ("oom", "start"))
        if any(clean_dockerd.client.events(since=0, until=int(time.time()), filters=KILLED, decode=True)):
            assert time.time() - 600 < at < started <= time.time()
        else:  # on a busy machine the engine itself may not hear of the kill
            assert at == 0 < started <= time.time()
        assert value(families, "oom_timestamp_seconds", "crashed") is None
    crashed.stop(timeout=0)
    assert value(await collector.collect(), "exit_code", "crashed") == 137


async def test_logs_and_their_limits(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    lines = "i=0; while [ $i -lt 2000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done"
    files = {"max-size": "20k", "max-file": "3"}
    clean_dockerd.run("free", lines).wait()
    clean_dockerd.run("limited", lines, log_config={"type": "json-file", "config": files}).wait()
    clean_dockerd.run("packed", lines, log_config={"type": "json-file", "config": files | {"compress": "true"}}).wait()
    clean_dockerd.run("local", lines, log_config={"type": "local"}).wait()
    clean_dockerd.run("silent", lines, log_config={"type": "none"}).wait()
    families = await made(engine).collect()

    def on_disk(name: str) -> int:
        path = Path(clean_dockerd.client.api.inspect_container(name)["LogPath"])
        return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))

    for name in ("free", "limited", "packed"):
        assert value(families, "log_bytes", name) == on_disk(name)
    assert (value(families, "log_bytes", "free") or 0) > 2000 * 40
    assert 20 * 1024 < (value(families, "log_bytes", "limited") or 0) <= 61 * 1024
    limits = {name: value(families, "log_max_bytes", name) for name in ("free", "limited", "local", "silent")}
    assert limits == {"free": None, "limited": 3 * 20 * 1024, "local": 100 * MIB, "silent": None}
    limited = {name: value(families, "log_limited", name) for name in ("free", "limited", "local", "silent")}
    assert limited == {"free": 0, "limited": 1, "local": 1, "silent": None}


async def test_the_default_limit_of_the_engine_counts(dockerd_factory: Callable[[], Dockerd]) -> None:
    dockerd = dockerd_factory()
    dockerd.start(log_options={"max-size": "1m"})
    dockerd.run("web", FOREVER)
    engine = ReadOnlyEngine(dockerd.host)
    families = await made(engine).collect()
    engine.close()
    assert value(families, "log_max_bytes", "web") == MIB
    assert value(families, "log_limited", "web") == 1
