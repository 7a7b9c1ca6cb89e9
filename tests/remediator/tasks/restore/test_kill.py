"""SIGKILL at random moments of a restore: the directory says that it is not whole until it is; the next run goes on."""

import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from remediator.tasks.restore.into_directory import JOURNAL
from tests.helpers import rounds
from tests.remediator.tasks.backup.series import made, series, task
from tests.remediator.tasks.restore.house import everything
from tests.remediator.tasks.restore.killed import make, restored

SEED = 23
ROOT = Path(__file__).parents[4]


def is_unfinished(out: Path) -> bool:
    """Whether it has a journal, or nothing yet but what a kill left of the first one."""
    if not out.exists() or (out / JOURNAL).exists():
        return True
    return all(each.name.startswith(f".{JOURNAL}.") for each in out.iterdir())


@pytest.mark.slow
@pytest.mark.torture
async def test_a_killed_restore_goes_on_and_is_never_taken_for_whole(tmp_path: Path) -> None:
    data, sets, database, rng = tmp_path / "data", tmp_path / "sets", tmp_path / "x.sqlite", random.Random(SEED)
    data.mkdir()
    sets.mkdir()
    for number in range(300):
        (data / f"{number}").write_bytes(rng.randbytes(20_000))
    (data / "link").symlink_to("/etc")
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("CREATE TABLE t (x)")
        opened.executemany("INSERT INTO t VALUES (?)", [("x" * 500,) for _ in range(4000)])
        opened.commit()
    await made(task(series(sets, make(data, database))), sets)
    was, interrupted = everything(data), 0
    for turn in range(rounds("RESTORE_KILLS", 2, 300)):
        out = tmp_path / f"out{turn}"
        given = [str(path) for path in (sets, data, database, out)]
        command = [sys.executable, "-m", "tests.remediator.tasks.restore.killed", *given]
        for _ in range(rng.randint(1, 2)):
            with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as running:
                assert running.stdout is not None
                running.stdout.readline()
                with suppress(subprocess.TimeoutExpired):
                    running.wait(rng.uniform(0, 0.5))
                running.send_signal(signal.SIGKILL)
            if is_unfinished(out):
                interrupted += 1
            else:
                break  # it was faster than that, and is whole
        if is_unfinished(out):
            await restored(sets, data, database, out)
        assert everything(out / "files" / str(data).lstrip("/")) == was, (SEED, turn)
        assert sorted(each.name for each in out.iterdir()) == ["files", "sqlite"], (SEED, turn)
        assert len(list((out / "sqlite").iterdir())) == 3
    print(f"seed {SEED}: {interrupted} runs were interrupted")
