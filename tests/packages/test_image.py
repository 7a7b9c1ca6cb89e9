"""The image, built on a private engine without a network, and the drill by two containers of it."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from docker.models.containers import Container

from tests.docker_programs import buildkit_client
from tests.dockerd import Dockerd
from tests.helpers import missing, wait_until
from tests.packages.systemd_root import base
from tests.packages.wiring import wired
from tests.ports import free_port_range
from upkeeper.up.ports import Ports

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.heavy]

ROOT = Path(__file__).resolve().parents[2]
BASE, IMAGE = "upkeeper-test/debian:1", "upkeeper-test/upkeeper:1"
OFFLINE = "PIP_OPTIONS=--no-index --find-links packaging/wheels"
USER = 10746


def wheels() -> Path:
    """What is in requirements/runtime.lock, downloaded once, for the distribution's Python."""
    key = hashlib.sha256((ROOT / "requirements/runtime.lock").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upkeeper-build"
    wanted = cache / f"wheels-{key}"
    if not wanted.is_dir():
        partial = wanted.with_suffix(f".{os.getpid()}")
        command = [".venv/bin/pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        version = subprocess.run(
            ["/usr/bin/python3", "-c", "import sys; print(sys.version_info.minor)"], capture_output=True, text=True
        ).stdout.strip()
        done = subprocess.run(
            [*command, f"--python-version=3.{version}", "-r", "requirements/runtime.lock", "--dest", str(partial)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            missing(f"the wheels of the image cannot be had: {done.stderr[-300:]}")
        partial.rename(wanted)
    return wanted


@pytest.fixture(scope="module")
def image(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image by its name, built from a copy of what is in the tree, with wheels beside it."""
    context = tmp_path_factory.mktemp("context")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    skipped = ("tests/", "bench/", "findings/", "docs/images/")
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if not name.startswith(skipped) and (ROOT / name).is_file():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, context / name)
    shutil.copytree(wheels(), context / "packaging/wheels")
    client, environment = buildkit_client(), {**os.environ, "DOCKER_HOST": dockerd.host, "DOCKER_BUILDKIT": "1"}
    environment["DOCKER_CONFIG"] = str(context / ".docker")
    with subprocess.Popen(["tar", "-C", str(base()), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            [client, "import", "-", BASE], stdin=tar.stdout, env=environment, check=True, capture_output=True
        )
    assert tar.returncode == 0
    done = subprocess.run(
        [client, "build", "--network=none", f"--build-arg=BASE={BASE}", f"--build-arg={OFFLINE}",
         f"--tag={IMAGE}", "."],
        cwd=context, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return IMAGE


class Pair:
    """Exporter and remediator as two containers, as compose.yaml has them, on the network of the tests."""

    def __init__(self, dockerd: Dockerd, image: str, directory: Path) -> None:
        self.ports = Ports.from_base(free_port_range(2))
        config = directory / "upkeeper.yml"
        off = {"docker": {"enabled": False}, "docker_usage": {"enabled": False}}
        config.write_text(yaml.safe_dump({"collectors": {"logs": {"interval": "1s"}, **off}, "schedule": {"jobs": []}}))
        config.chmod(0o644)
        given = {str(config): {"bind": "/etc/upkeeper/upkeeper.yml", "mode": "ro"}}
        drill = {"drill": {"bind": "/var/lib/upkeeper/drill", "mode": "rw"}}
        state = {"state": {"bind": "/var/lib/upkeeper", "mode": "rw"}}
        self.exporter = self._start(
            dockerd, image, "exporter", self.ports.exporter,
            {**given, "drill": {"bind": "/var/lib/upkeeper/drill", "mode": "ro"}},
        )  # fmt: skip
        self.remediator = self._start(dockerd, image, "remediator", self.ports.remediator, {**given, **state, **drill})

    @staticmethod
    def _start(dockerd: Dockerd, image: str, service: str, port: int, volumes: dict[str, dict[str, str]]) -> Container:
        command = [service, "--listen", f"127.0.0.1:{port}", "--state-dir", "/var/lib/upkeeper"]
        made = dockerd.client.containers.create(
            image, command, name=f"upkeeper-{service}", volumes=volumes, network_mode="host", read_only=True,
            cap_drop=["ALL"], security_opt=["no-new-privileges"], tmpfs={"/tmp": ""},
            healthcheck={"test": ["CMD", "healthy", str(port)], "interval": 10**9, "timeout": 5 * 10**9, "retries": 9},
        )  # fmt: skip
        made.start()
        return made


@pytest.fixture
def pair(dockerd: Dockerd, image: str, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(dockerd, image, tmp_path)
    try:
        yield made
    finally:
        for container in (made.exporter, made.remediator):
            container.remove(force=True)


def health(container: Container) -> str:
    container.reload()
    if container.status == "exited":
        raise RuntimeError(container.logs().decode())
    return str(container.attrs["State"].get("Health", {}).get("Status"))


async def test_the_drill_by_two_containers_that_have_no_rights_at_all(
    pair: Pair, dockerd: Dockerd, tmp_path: Path
) -> None:
    for container in (pair.exporter, pair.remediator):
        await wait_until(lambda container=container: health(container), equals="healthy")
        status = container.exec_run(["cat", "/proc/1/status"]).output.decode()
        assert f"Uid:\t{USER}\t" in status
        assert "CapEff:\t0000000000000000" in status
    token = pair.remediator.exec_run(["cat", "/var/lib/upkeeper/tokens/alertmanager"]).output.decode()
    async with wired(tmp_path, pair.ports, token) as peers:
        done = pair.remediator.exec_run(["upkeeper", "drill", *peers])
    assert done.exit_code == 0, done.output.decode() + pair.remediator.logs().decode()
    # What it is made of: no compiler, no pip, and nothing that anybody but root could change.
    found = pair.remediator.exec_run(["sh", "-c", "ls /opt/upkeeper/bin; find /opt/upkeeper ! -user root | wc -l"])
    assert "pip" not in found.output.decode()
    assert found.output.decode().split()[-1] == "0"
    pair.remediator.stop(timeout=20)
    pair.remediator.reload()
    assert pair.remediator.attrs["State"]["ExitCode"] == 0


def test_how_large_it_is_beside_its_base(image: str, dockerd: Dockerd) -> None:
    own = dockerd.client.images.get(image).attrs["Size"] - dockerd.client.images.get(BASE).attrs["Size"]
    assert own < 185 * 10**6  # 15 of them for `console.oidc`
