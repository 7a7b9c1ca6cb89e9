"""Docker volumes in a set, and containers that stand still for it: on a private engine."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import manifest as manifests
from exporter.docker.engine import DockerEngine
from remediator.model.task import Effect, TaskError
from remediator.tasks.backup.holds import Containers
from remediator.tasks.backup.journal import Owner
from tests.docker_images import BUSYBOX
from tests.dockerd import Dockerd
from tests.remediator.tasks.backup.series import applied, made, series, task

pytestmark = pytest.mark.servers
root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root reads where the engine keeps volumes")
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]


class Estate:
    """A volume with something in it, a container that uses it, and one that a person has stopped."""

    def __init__(self, dockerd: Dockerd, directory: Path, name: str) -> None:
        self.client = dockerd.client
        dockerd.import_busybox()
        self.engine = DockerEngine(dockerd.host, 30.0)
        self.sets, self.state = directory / "sets", directory / "state"
        self.sets.mkdir()
        self.name = name
        self.volume = self.client.volumes.create(name)
        self.root = Path(self.volume.attrs["Mountpoint"])
        (self.root / "file").write_text("content")
        os.chown(self.root / "file", 1234, 5678)
        os.setxattr(self.root / "file", "user.note", b"kept")
        with closing(sqlite3.connect(self.root / "x.sqlite")) as database:
            database.execute("CREATE TABLE t (x)")
            database.execute("INSERT INTO t VALUES (1)")
            database.commit()
        mounts = {name: {"bind": "/data", "mode": "rw"}}
        self.runs = self.client.containers.run(BUSYBOX, SLEEP, name=f"{name}-runs", volumes=mounts, detach=True)
        self.stopped = self.client.containers.create(BUSYBOX, SLEEP, name=f"{name}-stopped", volumes=mounts)

    def task(self, **volume: Any) -> Any:
        make = {
            "volumes": [{"name": self.name, **volume}],
            "sqlite": [{"name": "x", "volume": self.name, "file": "x.sqlite"}],
        }
        owner = Owner(host="kitchen", state=str(self.state))
        return task(series(self.sets, make), owner=owner, engine=self.engine)

    def status(self) -> list[str]:
        for container in (self.runs, self.stopped):
            container.reload()
        return [self.runs.status, self.stopped.status]

    def started_at(self) -> str:
        self.runs.reload()
        return str(self.runs.attrs["State"]["StartedAt"])

    def close(self) -> None:
        for container in (self.runs, self.stopped):
            container.remove(force=True)
        self.volume.remove(force=True)
        self.engine.close()


@pytest.fixture
def estate(dockerd: Dockerd, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    made = Estate(dockerd, tmp_path, f"v{abs(hash(request.node.name)) % 10**9}")
    yield made
    made.close()


@root_only
async def test_a_volume_comes_back_as_it_was(estate: Estate, tmp_path: Path) -> None:
    before = estate.started_at()
    new = await made(estate.task(), estate.sets)
    members = {member.key: member for member in manifests.read(new)[0].members}
    assert list(members) == ["sqlite:x", f"volumes:{estate.name}"]
    assert members["sqlite:x"].facts["rows"] == {"t": 1}
    out = tmp_path / "out"
    out.mkdir()
    archive = new / "volumes" / f"{estate.name}.tar.zst"
    subprocess.run(["tar", "--zstd", "--xattrs", "--numeric-owner", "-xpf", archive, "-C", out], check=True)
    back = (out / "file").stat()
    assert ((out / "file").read_text(), back.st_uid, back.st_gid) == ("content", 1234, 5678)
    assert os.getxattr(out / "file", "user.note") == b"kept"
    assert estate.started_at() == before, "without stop: nothing is stopped"


@root_only
@pytest.mark.parametrize("how", ["stop", "pause"])
async def test_what_ran_runs_again_and_what_was_stopped_stays_so(estate: Estate, how: str) -> None:
    seen: list[list[str]] = []
    backup = estate.task(**{how: [f"{estate.name}-runs", f"{estate.name}-stopped"]})
    plan = await backup.plan("pa")
    really = subprocess.Popen

    def popen(*args: Any, **keys: Any) -> Any:
        seen.append(estate.status())
        return really(*args, **keys)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", popen)
        effects = await applied(backup, plan)
    assert all(isinstance(effect, Effect) for effect in effects), effects
    assert seen[-1] == ["exited" if how == "stop" else "paused", "created"]
    assert estate.status() == ["running", "created"]
    assert not list(estate.state.rglob("*.json"))


@root_only
async def test_they_run_again_though_the_copy_failed(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = estate.task(stop=[f"{estate.name}-runs"])
    plan = await backup.plan("pa")

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("remediator.tasks.backup.sources.volume.archive", broken)
    effects = await applied(backup, plan)
    held = f"volume {estate.name}; {estate.name}-runs stands still meanwhile"
    assert effects[1] == f"the disk is full: no room for {held}; make room, or remove old sets"
    assert estate.status()[0] == "running"
    assert list(estate.sets.iterdir()) == []


KILLED = """
import asyncio, sys
from pathlib import Path
from exporter.docker.engine import DockerEngine
from remediator.tasks.backup.holds import Containers

async def main():
    async with Containers(DockerEngine(sys.argv[1], 30.0), Path(sys.argv[2])).still([sys.argv[3]], []):
        print("still", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_backup_leaves_word_of_what_it_stopped(estate: Estate, dockerd: Dockerd) -> None:
    note = estate.state / "stopped-for-backups" / "pa.json"
    name = f"{estate.name}-runs"
    command = [sys.executable, "-c", KILLED, dockerd.host, str(note), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"still\n"
        killed.send_signal(signal.SIGKILL)
    assert estate.status()[0] == "exited"
    containers = Containers(estate.engine, note)
    assert [held.name for held in await containers.noted()] == [name]
    backup = estate.task()
    if os.getuid() == 0:
        plan = await backup.plan("pa")
        assert (plan.actions[0].kind, plan.actions[0].object) == ("start-again", name)
    assert (await containers.release()) == [name]
    assert estate.status()[0] == "running"
    assert await containers.noted() == []


async def test_names_that_lead_nowhere(estate: Estate) -> None:
    with pytest.raises(TaskError, match=r"there is no container nobody to stop; correct its name in make:"):
        async with Containers(estate.engine, estate.state / "x.json").still(["nobody"], []):
            pass
    missing = task(series(estate.sets, {"volumes": ["no-such"]}), engine=estate.engine)
    with pytest.raises(TaskError, match=r"there is no volume no-such; correct its name in make:"):
        await missing.plan("pa")


@root_only
async def test_a_file_that_leads_out_of_its_volume_is_refused(estate: Estate, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "secret.sqlite")) as database:
        database.execute("CREATE TABLE t (x)")
    (estate.root / "link.sqlite").symlink_to(tmp_path / "secret.sqlite")
    make = {"sqlite": [{"name": "l", "volume": estate.name, "file": "link.sqlite"}]}
    with pytest.raises(TaskError, match=r"has no file link\.sqlite"):
        await task(series(estate.sets, make), engine=estate.engine).plan("pa")
