"""Backup directories for tests."""

import os
import time
from pathlib import Path
from typing import Any

from exporter.backups.sets import BackupSet
from exporter.inventory.backups import Backup

DAY = 86400.0


def backup(path: Path | str, name: str = "pa", **keys: Any) -> Backup:
    return Backup.model_validate({"name": name, "path": str(path), "pattern": "*", "settle": 0, **keys})


def restic_backup(repository: Path | str, password_file: Path, name: str = "pa", **keys: Any) -> Backup:
    """keys: of the ``restic`` section."""
    restic = {"repository": str(repository), "password_file": str(password_file), **keys}
    return Backup.model_validate({"name": name, "restic": restic})


def make_set(parent: Path, name: str, size: int = 100, days: float = 1.0, files: int = 1) -> Path:
    """A directory whose files were written so many days ago, all together of this size."""
    directory = parent / name
    directory.mkdir(parents=True)
    for number in range(files):
        make_file(directory, f"{number}.sql", size // files, days)
    give_age(directory, days)
    return directory


def make_file(parent: Path, name: str, size: int = 100, days: float = 1.0) -> Path:
    file = parent / name
    file.write_bytes(b"x" * size)
    give_age(file, days)
    return file


def give_age(path: Path, days: float) -> None:
    """Has it written so many days ago."""
    written = time.time() - days * DAY
    os.utime(path, (written, written))


def by_name(sets: list[BackupSet]) -> dict[str, BackupSet]:
    return {each.name: each for each in sets}


def states(sets: list[BackupSet]) -> dict[str, str]:
    return {each.name: each.state for each in sets}
