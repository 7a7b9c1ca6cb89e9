"""Real restic repositories for tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.inventory.backups import ResticRepository
from tests.helpers import require_program

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


def make_repository(directory: Path) -> Real:
    """With three snapshots of three days in 2026: two of the host vm, tagged daily, and one of the host other."""
    require_program("restic", "restic")
    real = Real(directory / "repo", write_password(directory))
    data = directory / "data"
    data.mkdir()
    real.run("init")
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
