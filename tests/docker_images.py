"""What a private Docker engine needs: root, programs, and root file systems as tar, as there is no registry."""

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.helpers import missing, require_program

BUSYBOX = "upkeeper-test/busybox:1"
APPLETS = ("sh", "sleep", "httpd", "cat", "echo", "touch", "rm", "dd", "wc", "true", "false")


def require_docker() -> None:
    """Skips the test (fails it under UPKEEPER_REQUIRE_ALL=1) where a private engine cannot run."""
    if os.geteuid() != 0:
        missing("a private Docker engine needs root")
    require_program("dockerd", "docker.io")
    require_program("ip", "iproute2")
    require_program("setpriv", "util-linux")
    static_busybox()


def static_busybox() -> bytes:
    """The machine's static busybox; without one the test is skipped."""
    path = Path(require_program("busybox", "busybox-static"))
    content = path.read_bytes()
    if b"/ld-linux" in content or b"/ld-musl" in content:
        missing(f"{path} is linked dynamically, and an image needs a static one (Debian package busybox-static)")
    return content


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


def root_tar(files: Mapping[str, bytes]) -> bytes:
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
