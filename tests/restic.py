"""Real restic repositories for tests."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exporter.inventory.backups import ResticRepository
from tests.helpers import missing, require_program

PASSWORD = "hunter2-hunter2"


def write_password(directory: Path) -> Path:
    file = directory / "password"
    file.write_text(f"{PASSWORD}\n")
    return file


@dataclass(frozen=True)
class Real:
    """A real repository."""

    path: Path
    password_file: Path

    def run(self, *arguments: str, **keys: Any) -> "subprocess.CompletedProcess[bytes]":
        command = self.command(*arguments)
        return subprocess.run(command, check=True, capture_output=True, **keys)

    def command(self, *arguments: str) -> list[str]:
        options = [f"--repo={self.path}", f"--password-file={self.password_file}", "--no-cache", "--quiet"]
        return ["restic", *options, *arguments]

    def settings(self, **keys: Any) -> ResticRepository:
        return ResticRepository.model_validate(
            {"repository": str(self.path), "password_file": str(self.password_file), **keys}
        )


def programs() -> list[str]:
    """restic of the system, and a newer one where UPKEEPER_NEW_RESTIC names it."""
    return ["restic", *filter(None, [os.environ.get("UPKEEPER_NEW_RESTIC")])]


def on_path(program: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes one of them what ``restic`` means, by a link in a directory."""
    require_program("restic", "restic")
    if program != "restic":
        named = shutil.which(program) or missing(f"{program} is no program")
        (directory / "bin").mkdir()
        (directory / "bin" / "restic").symlink_to(str(named))
        monkeypatch.setenv("PATH", f"{directory / 'bin'}:{os.environ['PATH']}")


def make_repository(directory: Path) -> Real:
    """With three snapshots of three days in 2026: two of the host vm, tagged daily, and one of the host other."""
    require_program("restic", "restic")
    real = Real(directory / "repo", write_password(directory))
    data = directory / "data"
    data.mkdir()
    real.run("init")
    make_cheap(real)
    (data / "a").write_bytes(os.urandom(300_000))
    real.run("backup", str(data), "--host=vm", "--tag=daily", "--tag=pa", "--time=2026-11-20 02:00:00")
    (data / "b").write_bytes(os.urandom(100_000))
    real.run("backup", str(data), "--host=vm", "--tag=daily", "--time=2026-11-21 02:00:00")
    real.run("backup", str(data / "a"), "--host=other", "--time=2026-11-22 02:00:00")
    return real


@contextmanager
def copied(real: Real, directory: Path) -> Iterator[Real]:
    """A copy of it, to be changed at will. It can be removed in the end: restic makes its files read-only."""
    shutil.copytree(real.path, directory / "repo")
    try:
        yield Real(directory / "repo", real.password_file)
    finally:
        for path in (directory / "repo").rglob("*"):
            path.chmod(0o700)


def make_cheap(real: Real) -> None:
    """Gives a repository that was just made a key that is derived in no time: restic takes a third of a second for it.

    The key file is made anew, as restic's design document has it: scrypt, AES-256 in counter mode, Poly1305-AES.
    """
    (file,) = (real.path / "keys").iterdir()
    key = json.loads(file.read_text())
    secret = real.password_file.read_text().rstrip("\n").encode()
    salt, sealed = base64.b64decode(key["salt"]), base64.b64decode(key["data"])
    master = _opened(sealed, _derived(secret, salt, key["N"], key["r"], key["p"]))
    cheap = {**key, "N": 2, "r": 8, "p": 1}
    cheap["data"] = base64.b64encode(_sealed(master, _derived(secret, salt, 2, 8, 1))).decode()
    text = json.dumps(cheap).encode()
    file.chmod(0o600)
    file.unlink()
    (real.path / "keys" / hashlib.sha256(text).hexdigest()).write_bytes(text)


def _derived(secret: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, dklen=64, maxmem=2**28)


def _opened(sealed: bytes, key: bytes) -> bytes:
    nonce, text, mac = sealed[:16], sealed[16:-16], sealed[-16:]
    assert _mac(nonce, text, key) == mac, "the password does not open the key"
    return _encrypted(nonce, text, key)


def _sealed(text: bytes, key: bytes) -> bytes:
    nonce = os.urandom(16)
    sealed = _encrypted(nonce, text, key)
    return nonce + sealed + _mac(nonce, sealed, key)


def _encrypted(nonce: bytes, text: bytes, key: bytes) -> bytes:
    """In counter mode, so the same both ways."""
    return _openssl(text, "-aes-256-ctr", "-K", key[:32].hex(), "-iv", nonce.hex())


def _mac(nonce: bytes, text: bytes, key: bytes) -> bytes:
    """Poly1305-AES: https://cr.yp.to/mac/poly1305-20050329.pdf."""
    last = int.from_bytes(_openssl(nonce, "-aes-128-ecb", "-nopad", "-K", key[32:48].hex()), "little")
    factor = int.from_bytes(key[48:64], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at : at + 16] + b"\1", "little")) * factor % (2**130 - 5)
    return ((total + last) % 2**128).to_bytes(16, "little")


def _openssl(data: bytes, *arguments: str) -> bytes:
    command = [require_program("openssl", "openssl"), "enc", *arguments]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout
