"""A private registry for images: Debian's, on a loopback port, which engines use without TLS."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.dockerd import Dockerd
from tests.helpers import require_program, wait_until
from tests.ports import free_port

_CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {directory}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", secret: none}}
"""


class Registry:
    """A running registry. address: host and port, the first part of its images' names."""

    def __init__(self, address: str) -> None:
        self.address = address

    def push(self, dockerd: Dockerd, image: str, repository: str) -> str:
        """Pushes an image, and takes its tag away here. The name by which it can be pulled, with its digest."""
        name = f"{self.address}/{repository}"
        api = dockerd.client.api
        api.tag(image, name, "1")
        for line in api.push(name, "1", stream=True, decode=True):
            assert "error" not in line, line
        digest = next(each for each in api.inspect_image(f"{name}:1")["RepoDigests"] if each.startswith(f"{name}@"))
        api.remove_image(f"{name}:1")
        return str(digest)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """A registry of the test's own, empty."""
    async with running_registry(tmp_path) as started:
        yield started


@asynccontextmanager
async def running_registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """An empty one, with its files in that directory."""
    program = require_program("docker-registry", "docker-registry")
    address = f"127.0.0.1:{free_port()}"
    config = tmp_path / "registry.yml"
    config.write_text(_CONFIG.format(directory=tmp_path, port=address.rpartition(":")[2]))
    with (tmp_path / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        async with httpx.AsyncClient(verify=False) as client:

            async def answers() -> bool:
                try:
                    return (await client.get(f"http://{address}/v2/")).status_code == 200
                except httpx.TransportError:
                    return False

            await wait_until(answers, what="the registry")
        yield Registry(address)
    finally:
        process.kill()
        process.wait()
