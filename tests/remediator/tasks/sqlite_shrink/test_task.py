"""sqlite-shrink with containers that use the database, on a private engine."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.docker.engine import DockerEngine
from exporter.inventory.sqlite import SqliteDatabase
from remediator.model.task import ClearsUp, Plan, TaskError
from remediator.tasks.backup.holds import Held
from remediator.tasks.sqlite_shrink import shrink
from remediator.tasks.sqlite_shrink.shrink import draft_of
from remediator.tasks.sqlite_shrink.task import SqliteShrink
from tests.dockerd import Dockerd

NAME = "n8n"


class House:
    """A database that is mostly empty. docker: with containers that have it mounted, and one without."""

    def __init__(self, root: Path, docker: Dockerd | None, **changes: object) -> None:
        (root / "data").mkdir()
        self.path = root / "data" / "database.sqlite"
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("CREATE TABLE t (x)")
            database.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 2000)
            database.commit()
            database.execute("DELETE FROM t WHERE rowid > 10")
            database.commit()
        self.engine = DockerEngine(docker.host if docker else "unix:///nowhere/docker.sock", 30.0)
        given = {"name": NAME, "path": str(self.path), "max_reclaimable_bytes": "1MiB", **changes}
        self.task = SqliteShrink([SqliteDatabase(**given)], lambda: self.engine, root / "state")
        self.note = root / "state" / "stopped-for-sqlite" / f"{NAME}.json"
        if docker is None:
            return
        mount = [f"{root / 'data'}:/data"]
        self.runs = docker.run("sqlite-user", "sleep 3600", volumes=mount)
        self.other = docker.run("sqlite-stranger", "sleep 3600")
        self.stopped = docker.run("sqlite-stopped", "sleep 3600", start=False, volumes=mount)

    async def plan(self, **params: bool) -> Plan:
        return await self.task.plan(NAME, params)

    def started_at(self) -> list[str]:
        for each in (self.runs, self.other, self.stopped):
            each.reload()
        return [each.attrs["State"]["StartedAt"] for each in (self.runs, self.other, self.stopped)]

    def close(self) -> None:
        for each in (self.runs, self.other, self.stopped):
            each.remove(force=True)
        self.engine.close()


@pytest.fixture
def house(dockerd: Dockerd, tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, dockerd)
    yield made
    made.close()


async def test_without_docker(tmp_path: Path) -> None:
    house = House(tmp_path, None)
    before = await house.task.measure(NAME)
    assert before.breached
    plan = await house.plan()
    (action,) = plan.actions
    assert action.params["stops"] == []
    assert plan.notes == ["No container is stopped: what uses the database must be stopped before."]
    effect = await house.task.apply(NAME, action)
    assert effect.state == "done"
    assert effect.freed_bytes == pytest.approx(action.estimated_bytes, rel=0.05)
    after = await house.task.measure(NAME)
    assert not after.breached
    assert house.task.improved(before, after)
    assert (await house.task.apply(NAME, action)).state == "skipped"
    assert not (await house.plan()).actions


async def test_a_little_is_not_worth_an_interruption(tmp_path: Path) -> None:
    house = House(tmp_path, None, max_reclaimable_bytes="1GiB")
    assert not (await house.task.measure(NAME)).breached
    plan = await house.plan()
    assert not plan.actions
    assert "not worth an interruption" in plan.notes[0]
    assert len((await house.plan(below_limit=True)).actions) == 1
    with pytest.raises(TaskError, match="without a state directory"):
        await SqliteShrink([SqliteDatabase(name=NAME, path=str(house.path))], lambda: house.engine, None).plan(NAME)


@pytest.mark.servers
async def test_containers_stand_still_meanwhile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrink, "BUSY_SECONDS", 0.05)
    plan = await house.plan()
    (action,) = plan.actions
    assert action.params["stops"] == ["sqlite-user"]
    assert action.reason.startswith("stops sqlite-user; copies")
    before, size = house.started_at(), house.path.stat().st_size
    with closing(sqlite3.connect(house.path)) as other:  # a program of the host's
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TaskError, match="somebody has"):
            await house.task.apply(NAME, action)
    failed = house.started_at()
    assert failed[0] > before[0], "it runs again"
    assert failed[1:] == before[1:]
    assert house.path.stat().st_size == size
    effect = await house.task.apply(NAME, action)
    assert (effect.state, effect.detail.partition("; ")[2]) == ("done", "started sqlite-user")
    assert house.started_at()[0] > failed[0]
    assert house.started_at()[1:] == before[1:], "no other, and none that a person stopped"
    assert house.path.stat().st_size < size / 10
    assert not house.note.exists()


@pytest.mark.servers
@pytest.mark.parametrize("how", ["apply", "clear_up"])
async def test_what_was_killed_in_between_runs_again(house: House, how: str) -> None:
    """As a run leaves it that was killed while the copy was made: stopped, noted, half a copy."""
    (action,) = (await house.plan()).actions
    containers = house.task._containers(NAME)
    containers._write([Held(id=str(house.runs.id), name="sqlite-user", how="stop")])
    house.runs.stop(timeout=0)
    draft_of(house.path).write_bytes(os.urandom(5000))
    if how == "apply":
        assert (await house.task.apply(NAME, action)).state == "done"
    else:
        assert isinstance(house.task, ClearsUp)
        said = await house.task.clear_up(NAME, [action])
        assert said == "removed an unfinished copy; started sqlite-user"
        assert await house.task.clear_up(NAME, [action]) == ""
    house.runs.reload()
    assert house.runs.status == "running"
    assert sorted(each.name for each in house.path.parent.iterdir()) == ["database.sqlite"]
    assert not house.note.exists()


@pytest.mark.servers
async def test_a_container_that_came_since_the_plan(house: House, dockerd: Dockerd) -> None:
    (action,) = (await house.plan()).actions
    late = dockerd.run("sqlite-late", "sleep 3600", volumes=[f"{house.path.parent}:/data"])
    try:
        with pytest.raises(TaskError, match="sqlite-late uses it since it was planned"):
            await house.task.apply(NAME, action)
    finally:
        late.remove(force=True)
