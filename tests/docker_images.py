"""Root file systems and whole images, as tar."""

import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.helpers import missing, require_program

BUSYBOX = "upkeeper-test/busybox:1"
APPLETS = ("sh", "sleep", "httpd", "cat", "echo", "touch", "rm", "dd", "wc", "true", "false")


def static_busybox() -> bytes:
    """The machine's static busybox; without one the test is skipped."""
    path = Path(require_program("busybox", "busybox-static"))
    content = path.read_bytes()
    if b"/ld-linux" in content or b"/ld-musl" in content:
        missing(f"{path} is linked dynamically, and an image needs a static one (Debian package busybox-static)")
    return content


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


def libraries(program: Path) -> dict[str, bytes]:
    """What a program is linked with, by where its loader finds it in an image that has nothing else."""
    needed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    paths = [Path(path) for path in re.findall(r"(/\S+) \(0x", needed)]
    places = {path: str(path).lstrip("/") if "ld-linux" in path.name else f"usr/lib/{path.name}" for path in paths}
    return {place: path.read_bytes() for path, place in places.items()}


def built_image(layers: Sequence[Mapping[str, bytes]], labels: Mapping[str, str], created: float) -> bytes:
    """An image without a name as ``docker save`` writes it, by whose history BuildKit has made it.

    Takes the engine a tenth of the time of a build, and leaves no build cache.
    layers: the files of each, the lowest first. created: Unix seconds at which it says that it was built.
    """
    tars = [root_tar(files) for files in layers]
    moment = datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z")
    step = {"created": moment, "created_by": "COPY . / # buildkit", "comment": "buildkit.dockerfile.v0"}
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": moment,
        "config": {"Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]},
        "history": [step for _ in tars],
    }
    content = json.dumps(config).encode()
    name = f"{hashlib.sha256(content).hexdigest()}.json"
    members = {f"{number}/layer.tar": tar for number, tar in enumerate(tars)}
    manifest = [{"Config": name, "RepoTags": None, "Layers": list(members)}]
    return root_tar({name: content, **members, "manifest.json": json.dumps(manifest).encode()})
