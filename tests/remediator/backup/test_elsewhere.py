"""``upkeeper state backup`` of a record on PostgreSQL, and of one on btrfs, where only one process can use it."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from remediator.backup.archive import look, unpack
from remediator.control.moving import migrate
from remediator.control.place import Place
from remediator.statedir import StateDir
from tests.filesystems import mounted
from tests.postgres_server import PostgresServer
from tests.remediator.control import test_moving
from tests.remediator.control.test_moving import ANNA, end_runs, rows
from tests.upkeeper.commandline import Done, invoke

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[3]
state, place = test_moving.state, test_moving.place


async def upkeeper(state: StateDir, *arguments: str | Path) -> Done:
    return await invoke(*arguments, env={"UPKEEPER_STATE_DIR": str(state.root)})


async def test_a_record_on_postgresql_is_backed_up_and_comes_back_into_another(
    state: StateDir,
    place: Place,
    postgres15: PostgresServer,
    tmp_path: Path,
) -> None:
    url, config, path = tmp_path / "url", tmp_path / "upkeeper.yml", tmp_path / "b.tar.gz"
    url.write_text(str(place.database))
    config.write_text(yaml.safe_dump({"host": {"name": "host"}, "state": {"database_url_file": str(url)}}))
    nothing = await upkeeper(state, "state", "backup", path, "--config", config)
    assert (nothing.status, path.exists()) == (2, False)
    assert "no record of this machine" in nothing.err
    end_runs(state.database)
    await migrate(state, place, "postgres", ANNA)

    done = await upkeeper(state, "state", "backup", path, "--config", config, "--json")
    assert done.status == 0, done.err
    manifest = json.loads(done.out)
    assert manifest["host"] == "host"
    there = rows(str(place.database).replace("ql:", "ql+psycopg:"))
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    unpack(path, unpacked)
    assert rows(f"sqlite:///{unpacked / 'upkeeper.db'}") == there
    assert look(path).head_number == there["audit_heads"][0]["number"]

    refused = await upkeeper(state, "state", "restore", path, "--config", config)
    assert refused.status == 2
    assert "upkeeper state migrate --to postgres" in refused.err
    assert not state.database.exists()
    # As it says:
    config.write_text(yaml.safe_dump({"host": {"name": "host"}}))
    assert (await upkeeper(state, "state", "restore", path, "--config", config)).status == 0
    postgres15.sql("DROP DATABASE moved", "CREATE DATABASE moved")
    await migrate(state, place, "postgres", ANNA)
    back = rows(str(place.database).replace("ql:", "ql+psycopg:"))
    assert [row["id"] for row in back["runs"]] == [row["id"] for row in there["runs"]]
    assert back["audit"][: len(there["audit"])] == there["audit"]


@pytest.fixture
def on_btrfs(tmp_path: Path) -> Iterator[StateDir]:
    with mounted(tmp_path / "disk", "btrfs", 128 << 20) as disk:
        state = StateDir(disk / "state")
        state.ensure()
        yield state


HOLD = """
import asyncio, sys
from pathlib import Path
from remediator.store.database import Database

async def hold():
    database = Database(Path(sys.argv[1]))
    await database.migrate()
    print("holds it", flush=True)
    sys.stdin.read()
    await database.close()

asyncio.run(hold())
"""


@pytest.mark.slow
async def test_on_btrfs_it_refuses_while_another_process_works_and_says_so(on_btrfs: StateDir, tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    command = [sys.executable, "-c", HOLD, str(on_btrfs.database)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds it\n"
        refused = await upkeeper(on_btrfs, "state", "backup", path)
        holder.communicate("", timeout=60)
    assert refused.status == 1
    assert "only one process can use the database: stop the remediator first" in refused.err
    assert list(tmp_path.glob("*b.tar.gz*")) == []

    done = await upkeeper(on_btrfs, "state", "backup", path)
    assert done.status == 0, done.err
    assert not on_btrfs.database.with_name("upkeeper.db-shm").exists()
    unpack(path, tmp_path)
    with closing(sqlite3.connect(tmp_path / "upkeeper.db")) as copy:
        assert copy.execute("SELECT count(*) FROM audit").fetchone() == (1,)
