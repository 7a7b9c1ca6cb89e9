"""Asking the engine over its socket without the client library."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import AF_UNIX, SHUT_RDWR, socket
from typing import Any

import pytest

from exporter.docker.engine import DockerEngine, DockerUnavailable, EngineRefused
from exporter.docker.objects import read_usage
from exporter.docker.read_only_engine import EngineReader, ReadOnlyEngine
from tests.dockerd import Dockerd
from tests.helpers import wait_until


class Server:
    """Answers on a socket with what ``answer`` makes of each request's target; empty bytes close the connection."""

    def __init__(self, path: Path, answer: Callable[[str], bytes]) -> None:
        self.path = path
        self.answer = answer
        self.targets: list[str] = []
        self.connections = 0
        self._listener = socket(AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: list[socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket) -> None:
        with connection, connection.makefile("rb") as lines:
            while line := lines.readline():
                while lines.readline() not in (b"\r\n", b""):
                    pass
                target = line.split()[1].decode()
                self.targets.append(target)
                answer = self.answer(target)
                if not answer:
                    connection.shutdown(SHUT_RDWR)
                    return
                connection.sendall(answer)

    def close(self) -> None:
        self._listener.shutdown(SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            if connection.fileno() >= 0:
                connection.shutdown(SHUT_RDWR)


def reply(body: Any, status: str = "200 OK") -> bytes:
    content = json.dumps(body).encode()
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(content), content)


def good(target: str) -> bytes:
    return reply({"ApiVersion": "1.45", "Version": "26.0"} if target.endswith("/version") else [])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Callable[[str], bytes]], Server]]:
    servers: list[Server] = []

    def make(answer: Callable[[str], bytes]) -> Server:
        servers.append(Server(tmp_path / "d.sock", answer))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def engine(server: Server, timeout: float = 5.0) -> ReadOnlyEngine:
    return ReadOnlyEngine(f"unix://{server.path}", timeout)


async def containers(asked: DockerEngine) -> object:
    return await asked.call(lambda client: client.containers(all=True))


async def test_the_newest_version_is_asked_for_once_and_one_connection_is_kept(serve: Any) -> None:
    server = serve(good)
    reader = EngineReader(str(server.path), 5.0)
    for _ in range(3):
        assert reader.containers(all=True) == []
    reader.inspect_container("a/../b?c")
    reader.close()
    assert server.targets == [
        "/version",
        *["/v1.45/containers/json?all=1"] * 3,
        "/v1.45/containers/a%2F..%2Fb%3Fc/json",
    ]
    assert server.connections == 1


async def test_a_connection_that_was_closed_meanwhile_is_made_anew(serve: Any) -> None:
    served: list[str] = []

    def answer(target: str) -> bytes:
        served.append(target)
        return b"" if len(served) == 3 else good(target)

    server = serve(answer)
    asked = ReadOnlyEngine(f"unix://{server.path}", 5.0, threads=1)  # each thread keeps a connection of its own
    for _ in range(3):
        assert await containers(asked) == []
    asked.close()
    assert len(server.targets) == 5  # one of them twice


async def test_an_engine_that_closes_every_connection_is_unavailable(serve: Any) -> None:
    server = serve(lambda _: b"")
    asked = engine(server)
    with pytest.raises(DockerUnavailable, match=f"cannot reach the Docker engine: {server.path}: "):
        await containers(asked)
    asked.close()


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{no"])
async def test_what_is_no_engine_is_unavailable(serve: Any, answer: bytes) -> None:
    asked = engine(serve(lambda _: answer))
    with pytest.raises(DockerUnavailable, match="cannot reach the Docker engine"):
        await containers(asked)
    asked.close()


async def test_an_engine_that_never_answers_is_given_up(serve: Any) -> None:
    release = threading.Event()

    def hang(_: str) -> bytes:
        release.wait()
        return b""

    asked = engine(serve(hang), 0.05)
    with pytest.raises(DockerUnavailable, match="timed out"):
        await containers(asked)
    release.set()
    asked.close()


async def test_answers_that_are_not_good(serve: Any) -> None:
    status = "404 Not Found"
    asked = engine(
        serve(lambda target: good(target) if target == "/version" else reply({"message": "no such thing"}, status))
    )
    with pytest.raises(EngineRefused, match="no such thing") as refused:
        await containers(asked)
    assert refused.value.status_code == 404
    status = "500 Internal Server Error"
    with pytest.raises(DockerUnavailable, match="the Docker engine failed: no such thing"):
        await containers(asked)
    asked.close()


@pytest.mark.servers
async def test_it_reads_what_the_library_reads(clean_dockerd: Dockerd) -> None:
    clean_dockerd.run("web", "exit 1", labels={"a": "ä b"}).wait()
    clean_dockerd.dangling_image()
    clean_dockerd.network("own")
    by_library, by_us = DockerEngine(clean_dockerd.host), ReadOnlyEngine(clean_dockerd.host)
    ours, the_librarys = await read_usage(by_us), await read_usage(by_library)
    assert {each.id for each in ours.networks} == {each.id for each in the_librarys.networks}  # in no order
    assert {each.id for each in ours.images} == {each.id for each in the_librarys.images}
    assert ours.containers == the_librarys.containers
    for ask in (
        lambda client: client.ping() in (True, "OK"),
        lambda client: client.version(),
        lambda client: [{**each, "Status": ""} for each in client.containers(all=True)],
        lambda client: client.inspect_container("web"),
        lambda client: sorted(each["Id"] for each in client.networks()),
        lambda client: client.api_version,
    ):
        assert await by_us.call(ask) == await by_library.call(ask)
    for made in (by_us, by_library):
        with pytest.raises(OSError) as caught:  # noqa: PT011 - what both have in common
            await made.call(lambda client: client.inspect_container("nobody"))
        assert getattr(caught.value, "status_code", None) == 404
        made.close()


@pytest.mark.servers
async def test_the_exporter_reads_a_local_engine_without_the_library(tmp_path: Path, clean_dockerd: Dockerd) -> None:
    clean_dockerd.run("web", "sleep 100000")
    code = """
import asyncio, sys
from exporter.collectors.registry import build
from exporter.inventory.inventory import Inventory

async def main():
    running = build(Inventory.model_validate({"docker": {"host": sys.argv[1]}}))
    for collector in running.collectors:
        if collector.name.startswith("docker"):
            print(len([s for family in await collector.collect() for s in family.samples]))
    running.engine.close()

asyncio.run(main())
print(sorted({"docker", "requests", "urllib3"} & set(sys.modules)))
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, clean_dockerd.host], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    engine_samples, usage_samples, imported = done.stdout.splitlines()
    assert (int(engine_samples) > 20, int(usage_samples) > 10, imported) == (True, True, "[]")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_failures_leave_no_descriptor_behind(serve: Any, tmp_path: Path) -> None:
    asked = ReadOnlyEngine(f"unix://{tmp_path}/nobody.sock")
    server = serve(lambda _: b"")
    refusing = engine(server)
    for made in (asked, refusing):
        with pytest.raises(DockerUnavailable):
            await containers(made)
    before = descriptors()
    for _ in range(500):
        for made in (asked, refusing):
            with pytest.raises(DockerUnavailable):
                await containers(made)
    await wait_until(lambda: descriptors() <= before + 8)
    for made in (asked, refusing):
        made.close()
