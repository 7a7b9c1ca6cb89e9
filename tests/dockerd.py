"""A private Docker engine for tests: its own data, socket and containerd, gone without a trace afterwards.

The user's own engine is never touched. Networks get a bridge on the host until close(), but no firewall rule.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig

from tests.docker_images import BUSYBOX, built_image, root_tar, static_busybox
from tests.docker_leftovers import end_processes, is_stopped, unmount_below
from tests.docker_programs import buildkit_client, dockerd_environ, dockerd_program, require_docker

START_SECONDS = 60.0
STOP_SECONDS = 60.0
_NANOSECONDS = 10**9
_FIXTURES = frozenset({"dockerd", "dockerd_factory"})


class Dockerd:
    """A private Docker engine under one directory. Made stopped; start() starts it.

    directory: becomes the engine's, and is removed by close(). Keep it short: a socket's path holds 107 bytes at most.
    timeout: seconds that ``client`` waits for an answer.
    """

    def __init__(self, directory: Path, timeout: int = 30) -> None:
        self.directory = directory
        self.host = f"unix://{directory}/d.sock"
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._client: docker.DockerClient | None = None
        self._bridges: list[str] = []

    @property
    def pid(self) -> int:
        """The process id of dockerd."""
        assert self._process is not None, "this dockerd was not started"
        return self._process.pid

    @property
    def client(self) -> docker.DockerClient:
        """A client of the running engine, closed by close()."""
        if self._client is None:
            self._client = docker.DockerClient(base_url=self.host, timeout=self._timeout)
        return self._client

    def alive(self) -> bool:
        """Whether dockerd was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, log_options: Mapping[str, str] | None = None) -> None:
        """Starts the engine, with the data of the last start if there was one, and returns when it answers.

        log_options: the engine's defaults of the json-file log driver.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "daemon.json"  # else the machine's /etc/docker/daemon.json would be read
        config.write_text(json.dumps({"log-opts": dict(log_options)} if log_options else {}))
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig=TERM", "--"),  # it ends by itself if the tests are killed
                    dockerd_program(),
                    f"--config-file={config}",
                    f"--data-root={self.directory}/root",
                    f"--exec-root={self.directory}/exec",
                    f"--pidfile={self.directory}/pid",
                    f"--host={self.host}",
                    "--bridge=none",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-forward=false",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dockerd_environ(),
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"dockerd did not start; the end of its log:\n{self._log_tail()}")
            time.sleep(0.05)

    def terminate(self) -> None:
        """Ends the engine, its containerd and its containers. The data stays; start() starts it again."""
        self._close_client()
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        end_processes(self.directory)
        unmount_below(self.directory)

    def close(self) -> None:
        """Ends everything and removes the directory and the bridges."""
        if self.alive():
            self.cont()
            self.reset()
        self.terminate()
        for bridge in self._bridges:
            if Path("/sys/class/net", bridge).exists():
                subprocess.run(["ip", "link", "delete", bridge], check=True)
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def stop(self) -> None:
        """Hangs the engine with SIGSTOP: it accepts connections and never answers. cont() ends that."""
        os.kill(self.pid, signal.SIGSTOP)
        while not is_stopped(self.pid):
            time.sleep(0.01)

    def cont(self) -> None:
        """Lets an engine hung by stop() go on."""
        os.kill(self.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """The engine hangs within the block."""
        self.stop()
        try:
            yield
        finally:
            self.cont()

    def reset(self) -> None:
        """Removes every container, image, network, volume and build cache record."""
        api = self.client.api
        for container in api.containers(all=True):
            api.remove_container(container["Id"], force=True, v=True)
        for network in self.client.networks.list():
            if network.name not in ("bridge", "host", "none"):
                network.remove()
        for volume in self.client.volumes.list():
            volume.remove(force=True)
        while images := api.images(all=True):
            for image in images:
                with contextlib.suppress(
                    docker.errors.APIError
                ):  # it has a child, which goes first, or it went with one
                    api.remove_image(image["Id"], force=True)
            assert len(api.images(all=True)) < len(images), f"cannot remove {images}"
        api.prune_builds(all=True)

    def import_busybox(self) -> str:
        """The name of an image with a static busybox; imported at the first call."""
        if not self.client.images.list(BUSYBOX):
            self._import(BUSYBOX, {"bin/busybox": static_busybox()})
        return BUSYBOX

    def tagged_image(self, name: str, size: int = 4096, labels: Mapping[str, str] | None = None) -> str:
        """The id of a new image ``name`` that holds one file of ``size`` random bytes."""
        return self._import(name, {"payload": os.urandom(size)}, labels)

    def dangling_image(self, size: int = 4096, labels: Mapping[str, str] | None = None) -> str:
        """The id of a new image without a tag, built by BuildKit, that holds one file of ``size`` random bytes."""
        return self.load_built([{"payload": os.urandom(size)}], labels)

    def load_built(
        self,
        layers: Sequence[Mapping[str, bytes]],
        labels: Mapping[str, str] | None = None,
        created: float | None = None,
    ) -> str:
        """The id of an image without a tag, as BuildKit makes it of such layers. created: Unix seconds; None is now."""
        archive = built_image(layers, labels or {}, time.time() if created is None else created)
        loaded = "".join(str(line.get("stream", "")) for line in self.client.api.load_image(archive))
        return loaded.partition("Loaded image ID: ")[2].strip()

    def imported_image(self, size: int = 4096, labels: Mapping[str, str] | None = None) -> str:
        """The id of a new image without a tag that nobody could pull or build again."""
        return self._import(None, {"payload": os.urandom(size)}, labels)

    def run(
        self,
        name: str,
        command: str | Sequence[str],
        *,
        labels: Mapping[str, str] | None = None,
        healthcheck: str | None = None,
        start: bool = True,
        image: str | None = None,
        **options: Any,
    ) -> Container:
        """A new container of the busybox image without a network, started unless ``start`` is false.

        command: a string is run by the container's shell.
        healthcheck: a shell command, run every 200 ms; the second failure in a row makes the container unhealthy.
        options: as of docker.models.containers.ContainerCollection.create.
        """
        options.setdefault("network_mode", "none")
        options.setdefault("stop_signal", "SIGKILL")  # process 1 ignores SIGTERM, and the engine would wait 10 s for it
        if healthcheck is not None:
            options["healthcheck"] = {
                "test": ["CMD-SHELL", healthcheck],
                "interval": _NANOSECONDS // 5,
                "timeout": 5 * _NANOSECONDS,
                "retries": 2,
            }
        argv = ["sh", "-c", command] if isinstance(command, str) else list(command)
        container = self.client.containers.create(
            image or self.import_busybox(), argv, name=name, labels=dict(labels or {}), **options
        )
        if start:
            container.start()
        return container

    def network(self, name: str, labels: Mapping[str, str] | None = None, ipam: IPAMConfig | None = None) -> Network:
        """A new bridge network. Networks made in another way leave their bridge on the host if the engine is killed.

        ipam: its addresses; without, one of the engine's own thirty ranges.
        """
        network = self.client.networks.create(name, driver="bridge", labels=dict(labels or {}), ipam=ipam)
        assert network.id is not None
        self._bridges.append(f"br-{network.id[:12]}")
        return network

    def build(self, tag: str, dockerfile: str) -> None:
        """Builds an image with BuildKit, which leaves build cache records. RUN has no network."""
        context = self.directory / "build"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(dockerfile)
        environ = {
            **os.environ,
            "DOCKER_HOST": self.host,
            "DOCKER_BUILDKIT": "1",
            "DOCKER_CONFIG": str(self.directory / "cli"),
        }
        subprocess.run(
            [buildkit_client(), "build", "--network=none", f"--tag={tag}", str(context)],
            env=environ,
            check=True,
            capture_output=True,
            timeout=120,
        )

    def _import(self, name: str | None, files: Mapping[str, bytes], labels: Mapping[str, str] | None = None) -> str:
        repository, _, tag = name.partition(":") if name else (None, "", None)
        changes = [f"LABEL {key}={json.dumps(value)}" for key, value in (labels or {}).items()]
        answer = self.client.api.import_image_from_data(root_tar(files), repository, tag or None, changes or None)
        status = json.loads(answer.splitlines()[-1])
        return str(status["status"])

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            try:
                probe.connect(str(self.directory / "d.sock"))
                probe.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                return b" 200 OK" in probe.recv(4096)
            except OSError:
                return False

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _log_tail(self) -> str:
        return "\n".join((self.directory / "log").read_text(errors="replace").splitlines()[-15:])


@contextlib.contextmanager
def private_dockerd(directory: Path) -> Iterator[Dockerd]:
    """A started private engine in ``directory``, which is removed at the end."""
    require_docker()
    dockerd = Dockerd(directory)
    try:
        dockerd.start()
        yield dockerd
    finally:
        dockerd.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that start an engine: ``-m docker`` is all of them, to be tried on another one."""
    for item in items:
        if _FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """One private engine for all tests, with whatever earlier tests left in it: see clean_dockerd."""
    with private_dockerd(tmp_path_factory.mktemp("d")) as running:
        yield running


@pytest.fixture
def clean_dockerd(dockerd: Dockerd) -> Dockerd:
    """The engine of all tests, emptied."""
    dockerd.reset()
    return dockerd


@pytest.fixture
def dockerd_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Dockerd]]:
    """Makes engines of the test's own, not yet started, for tests that stop, hang or start them late."""
    require_docker()
    with contextlib.ExitStack() as engines:

        def make() -> Dockerd:
            made = Dockerd(tmp_path_factory.mktemp("d"))
            engines.callback(made.close)
            return made

        yield make
