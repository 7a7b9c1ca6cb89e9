"""A disk that fills up in the middle of a backup: one clear error, and the room is given back."""

import os
import random
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from remediator.model.task import Effect
from tests.remediator.tasks.backup.series import applied, series, task

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root mounts a small file system")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", directory], check=True)
    yield directory
    subprocess.run(["umount", directory], check=True)


@pytest.mark.parametrize("kind", ["files", "sqlite"])
async def test_it_is_said_and_nothing_stays(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Past the check before it, which sees such a thing only where the sizes are known."""
    monkeypatch.setattr("remediator.tasks.backup.task.space.require", lambda *_: None)
    if kind == "files":
        (tmp_path / "big").write_bytes(random.Random(1).randbytes(8 * 1024**2))
        make: dict[str, object] = {"files": [str(tmp_path / "big")]}
    else:
        with closing(sqlite3.connect(tmp_path / "x.sqlite")) as database:
            database.execute("CREATE TABLE t AS SELECT randomblob(8000000) AS x")
            database.commit()
        make = {"sqlite": [{"name": "x", "path": str(tmp_path / "x.sqlite")}]}
    effects = await applied(task(series(small, make)))
    assert not any(isinstance(effect, Effect) for effect in effects)
    assert "full" in str(effects[0])
    assert str(effects[1]).startswith("no set was made: ")
    assert list(small.iterdir()) == []
