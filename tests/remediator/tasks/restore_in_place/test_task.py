"""In place: what is there is copied, then exchanged for the set in one step; or nothing is touched at all."""

import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import manifest as manifests
from exporter.backups.directory import BackupDirectory
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import MANIFEST
from exporter.inventory.postgres import PostgresServer as Settings
from remediator.model.task import Action, Effect, Plan, TaskError
from remediator.tasks.backup.holds import Containers
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.partial import leftovers
from remediator.tasks.restore_in_place import task as tasks_of
from remediator.tasks.restore_in_place.databases import new_name, old_name
from remediator.tasks.restore_in_place.note import Note
from remediator.tasks.restore_in_place.swap import Place
from remediator.tasks.restore_in_place.task import RestoreInPlace
from tests.docker_images import BUSYBOX
from tests.dockerd import Dockerd
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from tests.remediator.tasks.backup.series import made, series, task
from tests.remediator.tasks.restore.house import everything

root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root reads where the engine keeps volumes")
NO_DOCKER = DockerEngine("unix:///nowhere/docker.sock")


class House:
    """Files and a database of SQLite that are in a set and have changed since."""

    def __init__(self, root: Path) -> None:
        self.root, self.sets, self.data, self.state = root, root / "sets", root / "data", root / "state"
        for each in (self.sets, self.data, self.state):
            each.mkdir()
        (self.data / "kept").write_text("as it was")
        (self.data / "gone").write_text("comes back")
        (self.data / "link").symlink_to("kept")
        self.database = root / "x.sqlite"
        self.sql("PRAGMA journal_mode=WAL", "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
        self.database.chmod(0o640)
        self.make: dict[str, Any] = {
            "files": [str(self.data)],
            "sqlite": [{"name": "x", "path": str(self.database)}],
        }
        self.now = 1_795_485_600.0

    async def change(self) -> None:
        self.new = await made(task(series(self.sets, self.make), clock=lambda: self.now), self.sets)
        self.was = everything(self.data)
        (self.data / "kept").write_text("changed")
        (self.data / "gone").unlink()
        (self.data / "more").touch()
        self.sql("INSERT INTO t VALUES (2)")
        self.changed = everything(self.data)

    def sql(self, *statements: str) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as database:
            rows = [database.execute(each).fetchall() for each in statements][-1]
            database.commit()
            return rows

    @property
    def rows(self) -> list[Any]:
        return [row[0] for row in self.sql("SELECT x FROM t ORDER BY x")]

    def restore(self, **keys: Any) -> RestoreInPlace:
        one = series(self.sets, self.make)
        owner = Owner(host="kitchen", state=str(self.state))
        given = {"engine": lambda: NO_DOCKER, "postgres": (), **keys}
        return RestoreInPlace([one], given["postgres"], owner, "tests", given["engine"], lambda: self.now + 60)

    @property
    def copies(self) -> list[Path]:
        return sorted(self.sets.glob(".before-restore-*"))

    @property
    def ours(self) -> list[Path]:
        """What we have left beside what was replaced."""
        return [*self.root.glob(".upkeeper-*"), *self.state.rglob("*.json")]


@pytest.fixture
async def house(tmp_path: Path) -> House:
    filled = House(tmp_path)
    await filled.change()
    return filled


async def applied(restore: RestoreInPlace, plan: Plan) -> list[Effect | str]:
    found: list[Effect | str] = []
    for action in plan.actions:
        try:
            found.append(await restore.apply("pa", action))
        except TaskError as error:
            found.append(str(error))
    return found


def states(effects: list[Effect | str]) -> list[str]:
    return [effect.state if isinstance(effect, Effect) else effect for effect in effects]


async def test_all_is_replaced_and_there_is_a_way_back(house: House) -> None:
    restore = house.restore()
    before = everything(house.root)
    plan = await restore.plan("pa")
    assert [(action.kind, action.object) for action in plan.actions] == [
        ("check-set", house.new.name), ("make-ready", "sqlite:x"), ("make-ready", "files"),
        ("replace", "sqlite:x"), ("replace", "files"), ("finish-restore", house.new.name),
    ]  # fmt: skip
    assert everything(house.root) == before, "a plan changes nothing"
    effects = await applied(restore, plan)
    assert states(effects) == ["done"] * 6
    assert everything(house.data) == house.was
    assert house.rows == [1]
    assert house.database.stat().st_mode & 0o777 == 0o640
    assert house.ours == []
    (copy,) = house.copies
    assert isinstance(effects[-1], Effect)
    assert effects[-1].detail == (
        f"what was there is in {copy.name}; to go back: upkeeper restore {copy.name} --name pa"
    )
    assert [each.name for each in BackupDirectory(series(house.sets, house.make)).read()] == [house.new.name]
    assert states(await applied(restore, plan)) == ["skipped"] * 6, "done twice"
    assert everything(house.data) == house.was
    back = await restore.plan("pa", {"set": copy.name})
    assert states(await applied(restore, back)) == ["done"] * 6
    assert everything(house.data) == house.changed
    assert house.rows == [1, 2]


async def test_a_backup_leaves_alone_what_is_copied_meanwhile(house: House) -> None:
    """Whatever the pattern of the series: it is no leftover of a backup."""
    restore = house.restore()
    plan = await restore.plan("pa")
    for action in plan.actions[:4]:
        await restore.apply("pa", action)
    (copy,) = house.copies
    assert copy.name.endswith(".partial")
    owner = Owner(host="kitchen", state=str(house.state))
    assert leftovers(house.sets, "pa", owner, lambda name: True) == ([], [])
    for action in plan.actions[4:]:
        assert (await restore.apply("pa", action)).state == "done"


async def test_the_same_plan_again_is_the_same_to_an_approval(house: House) -> None:
    restore = house.restore()
    one = await restore.plan("pa")
    house.now += 100
    other = await restore.plan("pa")
    assert [action.identity for action in one.actions] == [action.identity for action in other.actions]
    without = await restore.plan("pa", {"without_copy": "true"})
    assert {action.identity for action in without.actions}.isdisjoint(action.identity for action in one.actions)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, flipped, Path.unlink])
@pytest.mark.parametrize("name", ["files.tar.zst", "sqlite/x.sqlite", MANIFEST])
async def test_of_a_damaged_set_nothing_is_touched(house: House, damage: Callable[[Path], None], name: str) -> None:
    restore = house.restore()
    plan = await restore.plan("pa")
    damage(house.new / name)
    effects = await applied(restore, plan)
    assert isinstance(effects[0], str)
    assert not any(isinstance(effect, Effect) and effect.state == "done" for effect in effects)
    assert (everything(house.data), house.rows) == (house.changed, [1, 2])
    assert (house.ours, house.copies) == ([], [])


async def test_a_part_that_cannot_be_replaced_leaves_the_others_alone(house: House) -> None:
    restore = house.restore()
    plan = await restore.plan("pa")
    with house.database.open("rb") as file:
        holder = subprocess.Popen(["sleep", "600"], stdin=file)
    try:
        effects = await applied(restore, plan)
    finally:
        holder.kill()
        holder.wait()
    assert states(effects)[:3] == ["done"] * 3
    assert effects[3] == f"{house.database} is open in sleep (process {holder.pid}); stop that first"
    assert states(effects)[4] == "skipped"
    assert isinstance(effects[5], str)
    assert effects[5].startswith("not replaced: sqlite:x, files; sqlite:x: ")
    assert (everything(house.data), house.rows) == (house.changed, [1, 2])
    assert house.ours == []
    assert states(await applied(restore, await restore.plan("pa"))) == ["done"] * 6


class Killed(BaseException):
    """Ends a run where it is, as a kill does: nothing that is meant to clean up after an error may run by it."""


MOMENTS = (
    "check_part",
    "_made_ready",
    "_require_unused",
    "_swapped",
    "copier",
    "notes.write:1",
    "notes.write:3",
    "after",
)


@pytest.mark.parametrize("moment", range(13))
async def test_killed_between_any_two_writes_it_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Each write to its note, and each exchange, is the last thing that a run did; half go on by a new plan."""
    restore = house.restore()
    plan = await restore.plan("pa", {"only": ["files", "sqlite:x"]})
    left = [moment]
    really_write, really_swap = tasks_of.notes.write, Place.swap

    def count() -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1

    def write(path: Path, note: Note) -> None:
        count()
        really_write(path, note)
        count()

    def swap(place: Any, inode: int) -> None:
        really_swap(place, inode)
        count()

    with monkeypatch.context() as patch:
        patch.setattr(tasks_of.notes, "write", write)
        patch.setattr(Place, "swap", swap)
        try:
            await applied(restore, plan)
        except Killed:
            pass
        else:
            assert moment >= 12, "there are more moments than this test knows"
    again = plan if moment % 2 else await restore.plan("pa", {"only": ["files", "sqlite:x"]})
    effects = await applied(restore, again)
    assert states(effects)[-1] == "done", effects
    assert (everything(house.data), house.rows) == (house.was, [1])
    assert house.ours == []
    copies = [copy for copy in house.copies if not copy.name.endswith(".partial")]
    back = await restore.plan("pa", {"set": copies[0].name})
    assert "done" in states(await applied(restore, back))[-1]
    assert (everything(house.data), house.rows) == (house.changed, [1, 2]), (
        "the first copy is of what was there at first"
    )


async def test_what_cannot_be_restored_in_place_is_told(house: House, tmp_path: Path) -> None:
    restore = house.restore()
    house.data.rename(tmp_path / "elsewhere")
    house.data.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TaskError, match="is reached through a symbolic link"):
        await restore.plan("pa", {"only": f"file:{house.data}/kept"})
    house.make["sqlite"] = []
    with pytest.raises(TaskError, match="sqlite x is no longer in make"):
        await house.restore().plan("pa", {"only": "sqlite:x"})
    with pytest.raises(TaskError, match="without a state directory"):
        await RestoreInPlace(
            [series(house.sets, house.make)], (), Owner(host="x", state=""), "", lambda: NO_DOCKER
        ).plan("pa")


@pytest.mark.servers
@root_only
async def test_a_volume_is_replaced_while_its_containers_stand_still(dockerd: Dockerd, tmp_path: Path) -> None:
    dockerd.import_busybox()
    engine, client = DockerEngine(dockerd.host, 30.0), dockerd.client
    volume = client.volumes.create("in-place")
    root = Path(volume.attrs["Mountpoint"])
    (root / "file").write_text("as it was")
    os.chown(root / "file", 1234, 5678)
    mounts = {"in-place": {"bind": "/data", "mode": "rw"}}
    script = ["sh", "-c", "trap 'exit 0' TERM; cat /data/file; sleep 3600 & wait"]
    runs = client.containers.run(BUSYBOX, script, name="in-place-runs", volumes=mounts, detach=True)
    stopped = client.containers.create(BUSYBOX, script, name="in-place-stopped", volumes=mounts)
    other = client.containers.run(BUSYBOX, script, name="in-place-other", detach=True)
    try:
        other.reload()
        house = House(tmp_path)
        house.make = {"volumes": ["in-place"]}
        one = task(series(house.sets, house.make), engine=engine, clock=lambda: house.now)
        new = await made(one, house.sets)
        was, started = everything(root), other.attrs["State"]["StartedAt"]
        (root / "file").write_text("changed")
        restore = house.restore(engine=lambda: engine)
        plan = await restore.plan("pa", {"only": "volume:in-place"})
        assert plan.actions[2].reason.startswith("stops in-place-runs; copies what is there to .before-restore-")
        assert states(await applied(restore, plan)) == ["done"] * 4
        assert everything(root) == was
        for each in (runs, stopped, other):
            each.reload()
        assert [runs.status, stopped.status, other.attrs["State"]["StartedAt"]] == ["running", "created", started]
        assert "as it was" in runs.logs().decode().splitlines()[-1], "it runs on what was restored"
        assert not list(root.parent.glob(".upkeeper-*"))
        assert new.exists()
        await _killed_while_they_stand_still(restore, plan, house, runs, root)
        runs.pause()
        with pytest.raises(TaskError, match=r"in-place-runs uses .* and is paused"):
            await restore.plan("pa", {"only": "volume:in-place"})
        runs.unpause()
    finally:
        for each in (runs, stopped, other):
            each.remove(force=True)
        volume.remove(force=True)
        engine.close()


async def _killed_while_they_stand_still(
    restore: RestoreInPlace, plan: Plan, house: House, runs: Any, root: Path
) -> None:
    """What was stopped runs again when the run goes on, though nothing started it at the kill."""
    (root / "file").write_text("changed again")
    house.now += 10
    again = await restore.plan("pa", {"only": "volume:in-place"})

    async def dead(containers: Containers) -> list[str]:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Containers, "release", dead)
        with pytest.raises(Killed):
            await applied(restore, again)
    runs.reload()
    assert runs.status == "exited"
    goes_on = await restore.plan("pa", {"only": "volume:in-place"})
    assert "It goes on with what an interrupted run has begun." in goes_on.notes
    assert states(await applied(restore, goes_on))[-1] == "done"
    runs.reload()
    assert (runs.status, (root / "file").read_text()) == ("running", "as it was")


@pytest.fixture
async def databases(postgres15: PostgresServer, tmp_path: Path) -> AsyncIterator[tuple[House, RestoreInPlace]]:
    house = House(tmp_path)
    (tmp_path / "password").write_text(PASSWORD)
    server = Settings.model_validate(
        {
            "name": "main", "host": postgres15.socket, "port": postgres15.port, "user": SUPERUSER,
            "password_file": str(tmp_path / "password"),
        }
    )  # fmt: skip
    postgres15.sql("CREATE DATABASE app", "CREATE ROLE owns", "ALTER DATABASE app OWNER TO owns")
    postgres15.sql("CREATE TABLE t AS SELECT 1 AS x", dbname="app")
    house.make = {"postgres": [{"server": "main", "databases": ["app"]}]}
    one = task(series(house.sets, house.make), [server], clock=lambda: house.now)
    house.new = await made(one, house.sets)
    yield house, house.restore(postgres=[server])
    names = [name for (name,) in postgres15.sql("SELECT datname FROM pg_database WHERE datname LIKE 'app%'")]
    postgres15.sql(*(f'DROP DATABASE "{name}" WITH (FORCE)' for name in names), "DROP ROLE owns")


@pytest.mark.servers
async def test_a_database_is_renamed_and_replaced(
    databases: tuple[House, RestoreInPlace], postgres15: PostgresServer
) -> None:
    house, restore = databases
    postgres15.sql(
        "INSERT INTO t VALUES (2)", "ALTER DATABASE app SET work_mem = '5MB'",
        "ALTER DATABASE app SET search_path = a, \"b c\"",
        "GRANT CONNECT ON DATABASE app TO pg_monitor", "REVOKE TEMPORARY ON DATABASE app FROM PUBLIC",
        "ALTER ROLE owns IN DATABASE app SET jit = off", "ALTER DATABASE app CONNECTION LIMIT 7", dbname="app",
    )  # fmt: skip
    properties = """
        SELECT pg_get_userbyid(datdba), datconnlimit,
               (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a),
               (SELECT array_agg(setconfig::text ORDER BY setconfig::text)
                FROM pg_db_role_setting WHERE setdatabase = d.oid)
        FROM pg_database d WHERE datname = 'app'
    """
    before = postgres15.sql(properties)
    plan = await restore.plan("pa", {"only": "postgres:main/app"})
    with postgres15.connect("app") as in_use:
        assert states(await applied(restore, plan)) == ["done"] * 4
        with pytest.raises(Exception, match="terminating connection"):
            in_use.execute("SELECT 1")
    old = old_name("app", str(plan.actions[0].params["copy_set"]))
    assert postgres15.sql("SELECT x FROM public.t ORDER BY 1", dbname="app") == [(1,)]
    assert postgres15.sql("SELECT x FROM public.t ORDER BY 1", dbname=old) == [(1,), (2,)]
    assert postgres15.sql(properties) == before
    (copy,) = house.copies
    (member,) = manifests.read(copy)[0].members
    assert member.facts["databases"]["app"]["rows"] == {"public.t": 2}
    names = [name for (name,) in postgres15.sql("SELECT datname FROM pg_database WHERE datname LIKE 'app%' ORDER BY 1")]
    assert names == ["app", old]


@pytest.mark.servers
async def test_a_database_that_is_gone_comes_back(
    databases: tuple[House, RestoreInPlace], postgres15: PostgresServer
) -> None:
    house, restore = databases
    postgres15.sql("DROP DATABASE app")
    plan = await restore.plan("pa", {"only": "postgres:main"})
    replace: Action = plan.actions[2]
    for action in plan.actions[:3]:
        assert (await restore.apply("pa", action)).state == "done"
    assert (await restore.apply("pa", replace)).state == "skipped"
    assert (await restore.apply("pa", plan.actions[3])).detail == "nothing was there before"
    assert postgres15.sql("SELECT x FROM t", dbname="app") == [(1,)]
    assert (house.copies, house.ours) == ([], [])


def test_names_fit() -> None:
    long = "ä" * 31
    assert len(new_name(long).encode()) <= 63
    assert old_name("app", ".before-restore-2026-11-27T123456Z") == "app_before_20261127123456"
