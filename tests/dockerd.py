"""A private Docker engine for tests: its own data, socket and containerd, gone without a trace afterwards.

The user's own engine is never touched. Networks made here get a bridge on the host until close(), but no
firewall rule and no forwarding.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import docker.errors
import psutil
import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from tests.helpers import missing, require_program

BUSYBOX = "upkeeper-test/busybox:1"
APPLETS = ("sh", "sleep", "httpd", "cat", "echo", "touch", "rm", "dd", "wc", "true", "false")
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_NANOSECONDS = 10**9


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

    def start(self) -> None:
        """Starts the engine, with the data of the last start if there was one, and returns when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "daemon.json"
        config.write_text("{}")  # else the machine's /etc/docker/daemon.json would be read
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig=TERM", "--"),  # it ends by itself if the tests are killed
                    "dockerd",
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
        _end_leftover_processes(self.directory)
        _unmount_below(self.directory)

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
        for image in api.images(all=True):
            with contextlib.suppress(docker.errors.ImageNotFound):  # went with a child that was removed before
                api.remove_image(image["Id"], force=True)
        api.prune_builds(all=True)

    def import_busybox(self) -> str:
        """The name of an image with a static busybox; imported at the first call."""
        if not self.client.images.list(BUSYBOX):
            self._import(BUSYBOX, {"bin/busybox": _static_busybox()})
        return BUSYBOX

    def tagged_image(self, name: str, size: int = 4096, labels: Mapping[str, str] | None = None) -> str:
        """The id of a new image ``name`` that holds one file of ``size`` random bytes."""
        return self._import(name, {"payload": os.urandom(size)}, labels)

    def dangling_image(self, size: int = 4096, labels: Mapping[str, str] | None = None) -> str:
        """The id of a new image without a tag that holds one file of ``size`` random bytes."""
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

    def network(self, name: str, labels: Mapping[str, str] | None = None) -> Network:
        """A new bridge network. Networks made in another way leave their bridge on the host if the engine is killed."""
        network = self.client.networks.create(name, driver="bridge", labels=dict(labels or {}))
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
            [_buildkit_client(), "build", "--network=none", f"--tag={tag}", str(context)],
            env=environ,
            check=True,
            capture_output=True,
            timeout=120,
        )

    def _import(self, name: str | None, files: Mapping[str, bytes], labels: Mapping[str, str] | None = None) -> str:
        repository, _, tag = name.partition(":") if name else (None, "", None)
        changes = [f"LABEL {key}={json.dumps(value)}" for key, value in (labels or {}).items()]
        answer = self.client.api.import_image_from_data(_root_tar(files), repository, tag or None, changes or None)
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


def require_docker() -> None:
    """Skips the test (fails it under UPKEEPER_REQUIRE_ALL=1) where a private engine cannot run."""
    if os.geteuid() != 0:
        missing("a private Docker engine needs root")
    require_program("dockerd", "docker.io")
    require_program("ip", "iproute2")
    require_program("setpriv", "util-linux")
    _static_busybox()


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


def _static_busybox() -> bytes:
    path = Path(require_program("busybox", "busybox-static"))
    content = path.read_bytes()
    if b"/ld-linux" in content or b"/ld-musl" in content:
        missing(f"{path} is linked dynamically, and an image needs a static one (Debian package busybox-static)")
    return content


def _buildkit_client() -> str:
    """A docker client that can drive BuildKit: one before 23.0 does so itself, later ones need the buildx plugin."""
    for directory in os.get_exec_path():
        client = shutil.which("docker", path=directory)
        if client is None:
            continue
        version = subprocess.run([client, "--version"], capture_output=True, text=True, check=True).stdout
        major = int(version.removeprefix("Docker version ").partition(".")[0])
        if (
            major < 23
            or subprocess.run([client, "buildx", "version"], capture_output=True, check=False).returncode == 0
        ):
            return client
    missing("no docker client on PATH can use BuildKit (Debian package docker.io)")
    raise AssertionError("unreachable")


def _root_tar(files: Mapping[str, bytes]) -> bytes:
    """A tar of a root file system; with bin/busybox it gets the applets."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755
            tar.addfile(member, io.BytesIO(content))
        for applet in APPLETS if "bin/busybox" in files else ():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type = tarfile.SYMTYPE
            link.linkname = "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def _end_leftover_processes(directory: Path) -> None:
    """Ends containerd and the shims of this engine with their containers: none of them outlives a test.

    They name the engine's exec root in their command line, and are no longer dockerd's children when it was killed.
    """
    mark = f"{directory}/exec/"
    leftovers: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(mark in argument for argument in process.cmdline()):
                leftovers += [process, *process.children(recursive=True)]
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(leftovers, timeout=STOP_SECONDS)


def _unmount_below(directory: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=True)
