"""The programs of a private Docker engine: those of the distribution, or another engine's by UPKEEPER_DOCKERD."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.docker_images import static_busybox
from tests.helpers import missing, require_program

DOCKERD = "UPKEEPER_DOCKERD"
"""Environment variable: the engine that the tests start. Programs beside it, as runc, go before those on PATH."""


def dockerd_program() -> str:
    """The path of the engine that the tests start; without one the test is skipped."""
    named = os.environ.get(DOCKERD)
    if not named:
        return require_program("dockerd", "docker.io")
    if not os.access(named, os.X_OK):
        missing(f"{DOCKERD} names {named}, which is no program")
    return named


def dockerd_environ() -> dict[str, str]:
    """The environment for dockerd_program()."""
    named = os.environ.get(DOCKERD)
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": f"{Path(named).resolve().parent}:{path}" if named else path}


def require_docker() -> None:
    """Skips the test (fails it under UPKEEPER_REQUIRE_ALL=1) where a private engine cannot run."""
    if os.geteuid() != 0:
        missing("a private Docker engine needs root")
    dockerd_program()
    require_program("ip", "iproute2")
    require_program("setpriv", "util-linux")
    static_busybox()


def buildkit_client() -> str:
    """A docker client that can drive BuildKit: one before 23.0 does so itself, later ones need the buildx plugin."""
    for directory in os.get_exec_path():
        client = shutil.which("docker", path=directory)
        if client is None:
            continue
        version = subprocess.run([client, "--version"], capture_output=True, text=True, check=True).stdout
        buildx = subprocess.run([client, "buildx", "version"], capture_output=True, check=False)
        if int(version.removeprefix("Docker version ").partition(".")[0]) < 23 or buildx.returncode == 0:
            return client
    missing("no docker client on PATH can use BuildKit (Debian package docker.io)")
    raise AssertionError("unreachable")
