"""The connection to the engine: what it costs where there is none."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import requests

from exporter.docker.engine import DockerEngine, DockerUnavailable, EngineRefused

COLLECT = """
import asyncio, sys
from exporter.collectors.registry import build
from exporter.inventory.inventory import Inventory

async def main():
    running = build(Inventory.model_validate({"docker": {"host": sys.argv[1]}}))
    for collector in running.collectors:
        if collector.name in ("docker", "docker_usage"):
            for _ in range(3):
                await collector.collect()
    running.engine.close()

asyncio.run(main())
print(sorted({"docker", "requests", "urllib3"} & set(sys.modules)))
"""


def stale_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("stale", [False, True])
def test_no_library_is_imported_where_no_engine_listens(tmp_path: Path, stale: bool) -> None:
    path = tmp_path / "d.sock"
    if stale:
        stale_socket(path)
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, f"unix://{path}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("make", "reason"), [(lambda _: None, "No such file or directory"), (stale_socket, "Connection refused")]
)
async def test_the_reason_is_told(tmp_path: Path, make: object, reason: str) -> None:
    path = tmp_path / "d.sock"
    make(path)  # type: ignore[operator]
    engine = DockerEngine(f"unix://{path}")
    with pytest.raises(DockerUnavailable) as caught:
        await engine.call(lambda client: client.ping())
    engine.close()
    assert str(caught.value) == f"cannot reach the Docker engine: {path}: {reason}"


@pytest.mark.parametrize(
    ("host", "environment", "path"),
    [
        ("unix:///run/d.sock", None, "/run/d.sock"),
        (None, None, "/var/run/docker.sock"),
        (None, "", "/var/run/docker.sock"),
        (None, "unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        (None, "unix://", "/var/run/docker.sock"),
        (None, "tcp://127.0.0.1:2375", None),
        ("tcp://127.0.0.1:2375", "unix:///run/d.sock", None),
        ("unix:///run/d.sock", "tcp://127.0.0.1:2375", "/run/d.sock"),
    ],
)
def test_the_socket(
    monkeypatch: pytest.MonkeyPatch, host: str | None, environment: str | None, path: str | None
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if environment is not None:
        monkeypatch.setenv("DOCKER_HOST", environment)
    engine = DockerEngine(host)
    assert engine.socket == path
    engine.close()


class Answering(DockerEngine):
    """An engine that answers without one."""

    def _knock(self) -> None:
        pass

    def _connect(self) -> Any:
        return None


def by_library(status: int) -> Exception:
    response = requests.Response()
    response.status_code = status
    return docker.errors.APIError("409 Client Error", response, "in use")


@pytest.mark.parametrize("error", [by_library, lambda status: EngineRefused(status, "in use")])
@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (409, EngineRefused, "the Docker engine refused: in use"),
        (500, DockerUnavailable, "the Docker engine failed: in use"),
    ],
)
async def test_an_answer_that_is_not_good_is_one_line_for_people(
    error: Callable[[int], Exception], status: int, kind: type[Exception], message: str
) -> None:
    def ask(_: object) -> None:
        raise error(status)

    engine = Answering()
    with pytest.raises(kind) as caught:
        await engine.call(ask)
    engine.close()
    assert str(caught.value) == message
