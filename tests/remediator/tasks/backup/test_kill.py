"""SIGKILL at random moments of a backup: nothing that is not whole looks whole, and the next run cleans up after it."""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from exporter.backups import manifest as manifests
from exporter.backups.directory import BackupDirectory
from exporter.inventory.backups import MANIFEST
from remediator.tasks.backup_verification.checksums import differences
from remediator.tasks.backup_verification.readable import problems
from tests.helpers import rounds
from tests.remediator.tasks.backup.killed import config
from tests.remediator.tasks.backup.series import applied, series, task

SEED = 4
ROOT = Path(__file__).parents[4]


def whole(directory: Path) -> bool:
    manifest, _ = manifests.read(directory)
    stop = threading.Event()
    return not differences(directory, manifest, stop) and not problems(directory, manifest, stop)[0]


@pytest.mark.slow
@pytest.mark.torture
async def test_no_set_looks_whole_that_is_not(tmp_path: Path) -> None:
    data, sets = tmp_path / "data", tmp_path / "sets"
    data.mkdir()
    sets.mkdir()
    (data / "random").write_bytes(random.Random(SEED).randbytes(8 * 1024**2))
    with closing(sqlite3.connect(data / "x.sqlite")) as database:
        database.execute("CREATE TABLE t (x)")
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 500,) for _ in range(4000)])
        database.commit()
    one, rng = series(sets, config(sets, data)), random.Random(SEED)
    left = 0
    for turn in range(rounds("BACKUP_KILLS", 6, 300)):
        command = [sys.executable, "-m", "tests.remediator.tasks.backup.killed", str(sets), str(data)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == b"planned\n"
            with suppress(subprocess.TimeoutExpired):
                running.wait(rng.uniform(0, 1.5))
            running.send_signal(signal.SIGKILL)
        partial = [path for path in sets.iterdir() if path.name.endswith(".partial")]
        left += len(partial)
        assert len(partial) <= 1, "each run clears what the one before it left"
        for path in sets.iterdir():
            if path not in partial:
                assert whole(path), (SEED, turn)
        found = {each.name: each.state for each in BackupDirectory(one).read()}
        for path in partial:
            assert found[path.name.removesuffix(".partial")] != "complete" or (sets / path.stem).exists()
    print(f"seed {SEED}: {left} runs left something unfinished")
    await applied(task(one))
    assert all((path / MANIFEST).exists() and whole(path) for path in sets.iterdir())
