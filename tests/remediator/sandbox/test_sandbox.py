"""A sandbox on a private engine: nothing leaves it, it uses no more than it may, and nothing is left of it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.docker.engine import DockerEngine
from remediator.sandbox.guest import Guest, Limits, Said
from remediator.sandbox.leftovers import end, list_sandboxes
from remediator.sandbox.network import NoNetwork, open_network, within
from remediator.sandbox.sandbox import GuestFailed, SandboxEnded, sandbox
from tests.docker_images import BUSYBOX
from tests.dockerd import Dockerd
from tests.helpers import wait_until

pytestmark = pytest.mark.servers
MIB = 1024**2
LIMITS = Limits(memory_bytes=32 * MIB, cpus=0.5, seconds=120.0, spare_bytes=0, processes=20)
WAITS = ("sleep", "3600")
SHELL = ("/bin/busybox", "sh", "-c")


@pytest.fixture
def engine(clean_dockerd: Dockerd) -> Iterator[DockerEngine]:
    clean_dockerd.import_busybox()
    made = DockerEngine(clean_dockerd.host, 30.0)
    yield made
    made.close()


def inventory(dockerd: Dockerd) -> list[str]:
    """Everything that the engine has, by id."""
    api = dockerd.client.api
    volumes: Any = api.volumes()["Volumes"] or []
    return sorted(
        [each["Id"] for each in api.containers(all=True)]
        + [each["Id"] for each in api.networks()]
        + [each["Name"] for each in volumes]
    )


@contextmanager
def listening() -> Iterator[int]:
    """A TCP port on all addresses of this machine, as a database that is published has."""
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        yield int(server.getsockname()[1])


def addresses() -> list[str]:
    """All IPv4 addresses of this machine but the loopback ones."""
    shown = subprocess.run(["ip", "-4", "-o", "address"], capture_output=True, text=True, check=True).stdout
    found = [line.split()[3].partition("/")[0] for line in shown.splitlines()]
    return [address for address in found if not address.startswith("127.")]


async def test_guests_reach_each_other_by_name_and_nothing_else(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    answers = (*SHELL, "while busybox nc -l -p 99 -e echo hello; do :; done")
    async with sandbox(engine, "test", LIMITS) as inside:
        await inside.start(Guest("db", BUSYBOX, answers))
        await inside.start(Guest("app", BUSYBOX, WAITS))
        await inside.until("app", (*SHELL, "busybox timeout 5 busybox nc db 99 </dev/null | busybox grep hello"), 30.0)
        network = clean_dockerd.client.networks.list(names=[inside.name])[0].attrs
        gateway = network["IPAM"]["Config"][0].get("Gateway") or network["Containers"]["db"]["IPv4Address"]
        with listening() as port:
            for address in (gateway, *addresses()):
                said = await inside.run(
                    "app", (*SHELL, f"busybox timeout 2 busybox nc {address} {port} </dev/null"), 30
                )
                assert said.status != 0, f"{address} answered"
        asked = await inside.run("app", (*SHELL, "busybox timeout 10 busybox nslookup example.com"), 30)
        assert asked.status != 0
        routed = await inside.run("app", (*SHELL, "busybox ip route add 203.0.113.0/24 dev eth0"), 30)
        assert routed.status != 0
        raw = await inside.run("app", (*SHELL, "busybox ping -c 1 -W 1 db"), 30)
        assert raw.status != 0, "it may make raw packets"


async def test_a_guest_is_limited_and_has_nothing_of_the_host(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    async with sandbox(engine, "test", LIMITS) as inside:
        await inside.volume("data")
        await inside.start(Guest("app", BUSYBOX, WAITS, {"A": "1"}, {"data": "/data"}))
        found = clean_dockerd.client.api.inspect_container(f"{inside.name}-app")
        host = found["HostConfig"]
        assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (
            32 * MIB, 32 * MIB, 500_000_000, 20,
        )  # fmt: skip
        assert host["Binds"] == [f"{inside.name}-data:/data:rw"]
        assert not host["PortBindings"]
        assert not host["PublishAllPorts"]
        assert not host["Privileged"]
        assert found["Config"]["Env"][0] == "A=1"
        assert list(found["NetworkSettings"]["Networks"]) == [inside.name]


async def test_nothing_is_left_however_it_ends(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    before = inventory(clean_dockerd)

    async def stands(and_then: str) -> None:
        async with sandbox(engine, "test", LIMITS) as inside:
            await inside.volume("data")
            await inside.start(Guest("app", BUSYBOX, WAITS, volumes={"data": "/data"}))
            assert inventory(clean_dockerd) != before
            if and_then == "fails":
                raise RuntimeError("the proof has a bug")
            if and_then == "is cancelled":
                await asyncio.sleep(3600)

    await stands("ends")
    assert inventory(clean_dockerd) == before
    with pytest.raises(RuntimeError, match="a bug"):
        await stands("fails")
    assert inventory(clean_dockerd) == before
    running = asyncio.ensure_future(stands("is cancelled"))
    await wait_until(lambda: len(inventory(clean_dockerd)) == len(before) + 3, what="the sandbox to stand")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert inventory(clean_dockerd) == before


async def test_time_and_disk_end_it(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    before = inventory(clean_dockerd)
    brief = Limits(memory_bytes=32 * MIB, cpus=1, seconds=0.5, spare_bytes=0)
    with pytest.raises(SandboxEnded, match="the sandbox was ended: it did not end within 500ms"):
        async with sandbox(engine, "test", brief):
            await asyncio.sleep(3600)
    careful = Limits(memory_bytes=32 * MIB, cpus=1, seconds=60, spare_bytes=100 * MIB)
    with pytest.raises(SandboxEnded, match="only 99 MiB are free where Docker keeps its data"):
        async with sandbox(engine, "test", careful, free=lambda _: 99 * MIB):
            await asyncio.sleep(3600)
    assert inventory(clean_dockerd) == before


async def test_what_goes_wrong_in_a_guest_is_told(engine: DockerEngine) -> None:
    async with sandbox(engine, "test", LIMITS) as inside:
        with pytest.raises(SandboxEnded, match="the image no/such:1 of app is not on this engine"):
            await inside.start(Guest("app", "no/such:1"))
        await inside.start(Guest("ends", BUSYBOX, (*SHELL, "echo the key is wrong; exit 3")))
        with pytest.raises(SandboxEnded, match="ends has ended, exit status 3: the key is wrong"):
            await inside.until("ends", ("true",), 30.0)
        await inside.start(Guest("runs", BUSYBOX, WAITS))
        with pytest.raises(SandboxEnded, match="runs was not ready within 3s: not yet"):
            await inside.until("runs", (*SHELL, "echo not yet; exit 1"), 3.0)
        with pytest.raises(SandboxEnded, match="sleep in runs did not end within 500ms"):
            await inside.run("runs", WAITS, 0.5)
        said = await inside.run("runs", (*SHELL, "busybox yes | busybox head -c 1000000; echo end"), 30.0)
        assert len(said.output) == 64 * 1024
        assert said.output.endswith("y\nend\n")


KILLED = """
import asyncio, sys
from exporter.docker.engine import DockerEngine
from remediator.sandbox.guest import Guest, Limits, Said
from remediator.sandbox.sandbox import sandbox

async def main():
    async with sandbox(DockerEngine(sys.argv[1], 30.0), "drill pa", Limits(32 * 1024**2, 1, 3600, 0)) as inside:
        await inside.volume("data")
        await inside.start(Guest("app", sys.argv[2], ("sleep", "3600"), volumes={"data": "/data"}))
        print("stands", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_what_a_crash_left_behind_is_known_and_removed(engine: DockerEngine, clean_dockerd: Dockerd) -> None:
    before = inventory(clean_dockerd)
    command = [sys.executable, "-c", KILLED, clean_dockerd.host, BUSYBOX]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stands\n"
        os.kill(process.pid, signal.SIGKILL)
    (left,) = await list_sandboxes(engine)
    assert left.purpose == "drill pa"
    assert sorted(piece.kind for piece in left.pieces) == ["container", "network", "volume"]
    async with sandbox(engine, "drill other", LIMITS):
        assert left.name in [each.name for each in await list_sandboxes(engine)], "it is another's"
    async with sandbox(engine, "drill pa", LIMITS) as inside:
        assert [each.name for each in await list_sandboxes(engine)] == [inside.name]
    assert inventory(clean_dockerd) == before
    await end(engine, [left])  # what is gone already is no matter


@pytest.mark.skipif(os.getuid() != 0, reason="only root enters another network")
async def test_who_stands_outside_may_work_in_the_network_of_a_guest(engine: DockerEngine) -> None:
    """Which has no way in. A guest that rests lends its volumes, and goes on."""
    serve = (*SHELL, "mkdir -p /w && echo hello > /w/index.html && exec busybox httpd -f -p 127.0.0.1:8080 -h /w")

    def asked() -> bytes:
        with socket.create_connection(("127.0.0.1", 8080), timeout=10) as connection:
            connection.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: connection.recv(4096), b""))

    def refused() -> bytes | None:
        try:
            return asked()
        except OSError:
            return None

    async with sandbox(engine, "test", LIMITS) as inside:
        await inside.volume("data")
        await inside.start(Guest("web", BUSYBOX, serve, {}, {"data": "/data"}))
        async with inside.network("web") as handle:
            await wait_until(lambda: within(handle, refused) is not None, equals=True)
            assert within(handle, asked).endswith(b"hello\n")
            with pytest.raises(ZeroDivisionError):
                within(handle, lambda: 1 // 0)
        assert refused() is None, "this thread has stayed where it was"
        await inside.run("web", [*SHELL, "echo kept > /data/file"], 30)
        assert await inside.rest("web", 1.0)
        said = await inside.beside("web", "look", [*SHELL, "cat /data/file; exit 3"], 30)
        assert said == Said(3, "kept\n")
        assert await inside.beside("web", "look", ["no-such-program"], 30) is None
        with pytest.raises(GuestFailed, match="/bin/busybox beside web did not end within 500ms"):
            await inside.beside("web", "look", [*SHELL, "sleep 60"], 0.5)
        with pytest.raises(GuestFailed, match="web has ended"):
            async with inside.network("web"):
                raise AssertionError
        await inside.go_on("web")
        async with inside.network("web") as handle:
            await wait_until(lambda: within(handle, refused) is not None, equals=True)
    with pytest.raises(NoNetwork, match="is in the network of this machine"):
        open_network(os.getpid())
    with pytest.raises(NoNetwork, match="cannot be opened"):
        open_network(2**22 + 1)
