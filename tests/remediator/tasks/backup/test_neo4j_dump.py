"""Neo4j stopped, dumped by its image's own program, and always started again; and the way back.

The short form has a program that stands for ``neo4j-admin`` in an image of busybox: a store is one file. The long form
has the real one, of 5.26.19, in an image that was made here.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import neo4j
import pytest

from exporter.backups import manifest as manifests
from exporter.base.errors import UpkeeperError
from exporter.docker.engine import DockerEngine
from exporter.inventory.neo4j import Neo4jServer as Configured
from remediator.model.task import TaskError
from remediator.tasks.backup.contained import LABELS
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.task import Backup
from remediator.tasks.backup_verification.readable import problems
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from remediator.tasks.restore_in_place.task import RestoreInPlace
from remediator.tasks.restoring.graph import graphs_of
from remediator.tasks.restoring.parts import chosen
from remediator.tasks.restoring.sets import choose
from tests.docker_images import root_tar, static_busybox
from tests.dockerd import Dockerd
from tests.helpers import LONG, wait_until
from tests.neo4j_server.image import neo4j_image
from tests.ports import free_port
from tests.remediator.neo4jdump.test_admin_dump import zstd
from tests.remediator.tasks.backup.series import applied, made, series, task

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(os.getuid() != 0, reason="only root reads where the engine keeps volumes"),
]
IMAGE = "upkeeper-test/neo4j-stand-in:1"
SERVE = ["/bin/busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 60 & wait; done"]
ADMIN = b"""#!/bin/busybox sh
for name in "$@"; do :; done
store=/data/databases/$name/store
case "$1 $2" in
"--version ") echo 5.26.19 ;;
"database dump")
  if [ -e /data/slow ]; then sleep 600; fi
  if [ -e /data/unclean ]; then echo "Active logical log detected" >&2; echo "Run with --verbose" >&2; exit 1; fi
  if [ "$(busybox id -u)" != 7474 ]; then echo "not the server's user" >&2; exit 1; fi
  echo "Files: 1/1" >&2; cat $store ;;
"database load")
  if [ -e $store ] && [ "$4" != --overwrite-destination=true ]; then exit 1; fi
  busybox mkdir -p /data/databases/$name && cat > $store ;;
"database check") [ -e $store ] ;;
*) exit 2 ;;
esac
"""


class House:
    """A container that keeps a store, and its series."""

    def __init__(self, dockerd: Dockerd, directory: Path) -> None:
        self.dockerd, self.directory = dockerd, directory
        self.engine = DockerEngine(dockerd.host, 60.0)
        (directory / "sets").mkdir()
        (directory / "state").mkdir()
        make = {"neo4j": [{"server": "graph", "dump": "graph-db"}]}
        self.series = series(directory / "sets", make)
        self.server = Configured.model_validate({"name": "graph", "uri": "bolt://127.0.0.1:1"})
        self.owner = Owner(host="kitchen", state=str(directory / "state"))
        self.data = Path(".")

    @property
    def backup(self) -> Backup:
        return task(self.series, neo4j=[self.server], engine=self.engine, owner=self.owner)

    @property
    def restore(self) -> RestoreInPlace:
        return RestoreInPlace([self.series], (), self.owner, "tests", lambda: self.engine, neo4j=[self.server])

    async def restored(self, **params: Any) -> list[str]:
        plan = await self.restore.plan("pa", params)
        return [(await self.restore.apply("pa", action)).state for action in plan.actions]

    def start(self, image: str, **options: Any) -> None:
        container = self.dockerd.client.containers.run(image, name="graph-db", detach=True, **options)
        container.reload()
        (mount,) = container.attrs["Mounts"]
        self.data = Path(mount["Source"])

    @property
    def store(self) -> Path:
        return self.data / "databases" / "neo4j" / "store"

    def runs(self) -> bool:
        return bool(self.dockerd.client.containers.get("graph-db").status == "running")

    def one_offs(self) -> int:
        (label,) = (f"{key}={value}" for key, value in LABELS.items())
        return len(self.dockerd.client.containers.list(all=True, filters={"label": label}))


@pytest.fixture
async def house(clean_dockerd: Dockerd, tmp_path: Path) -> AsyncIterator[House]:
    made = House(clean_dockerd, tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def stand_in(house: House) -> House:
    """With a store of one file, of the user 7474."""
    files = {"bin/busybox": static_busybox(), "usr/bin/neo4j-admin": ADMIN}
    repository, _, tag = IMAGE.partition(":")
    changes = ["ENV PATH=/usr/bin:/bin"]
    house.dockerd.client.api.import_image_from_data(root_tar(files), repository=repository, tag=tag, changes=changes)
    house.dockerd.client.volumes.create("graph_data")
    house.start(IMAGE, command=SERVE, volumes={"graph_data": {"bind": "/data", "mode": "rw"}}, network_mode="none")
    house.store.parent.mkdir(parents=True)
    (house.data / "databases" / "system").mkdir()
    (house.data / "transactions").mkdir()
    house.store.write_bytes(zstd())
    for path in (house.data, *house.data.rglob("*")):
        os.chown(path, 7474, 7474)
    return house


async def test_it_is_stopped_dumped_and_runs_again(stand_in: House) -> None:
    plan = await stand_in.backup.plan("pa")
    assert plan.asks == "graph-db stands still while it is dumped (make.neo4j[].dump.ask)"
    assert plan.actions[0].reason.startswith("Neo4j graph: graph-db is stopped, dumped and started again")
    assert stand_in.backup.facts.disruption == "outage"
    before = stand_in.dockerd.client.containers.get("graph-db").attrs["State"]["StartedAt"]
    new = await made(stand_in.backup, stand_in.directory / "sets")
    manifest, _ = manifests.read(new)
    (member,) = manifest.members
    assert (new / "neo4j/graph/neo4j.dump").read_bytes() == zstd()
    assert (member.facts["form"], member.facts["server_version"]) == ("dump", "5.26.19")
    assert (await asyncio.to_thread(lambda: problems(new, manifest, _never())))[0] == []
    assert stand_in.runs()
    assert stand_in.dockerd.client.containers.get("graph-db").attrs["State"]["StartedAt"] != before
    assert stand_in.one_offs() == 0
    # What was not stopped in order is refused, and half of a dump is none; it runs again whatever happened.
    (stand_in.data / "unclean").touch()
    assert "the server was not stopped in order" in str((await applied(stand_in.backup))[0])
    (stand_in.data / "unclean").unlink()
    stand_in.store.write_bytes(zstd()[:-1])
    assert "what neo4j-admin wrote of neo4j ends early" in str((await applied(stand_in.backup))[0])
    stand_in.store.write_bytes(zstd())
    assert stand_in.runs()
    assert [path.name for path in (stand_in.directory / "sets").iterdir()] == [new.name]
    # What a person had stopped stays so.
    stand_in.dockerd.client.containers.get("graph-db").stop(timeout=5)
    await made(stand_in.backup, stand_in.directory / "sets")
    assert not stand_in.runs()


async def test_after_a_kill_the_next_run_ends_what_is_left_of_the_dump_and_starts_it(stand_in: House) -> None:
    """The one-off container goes on without us: the server must not be started beside it."""
    (stand_in.data / "slow").touch()
    plan = await stand_in.backup.plan("pa")
    killed = asyncio.ensure_future(stand_in.backup.apply("pa", plan.actions[0]))
    await wait_until(stand_in.one_offs, equals=1)
    await wait_until(stand_in.runs, equals=False)
    note = stand_in.directory / "state" / "stopped-for-backups" / "pa.json"
    was = note.read_bytes()
    killed.cancel()
    await asyncio.wait([killed])
    assert stand_in.runs()
    assert stand_in.one_offs() == 0
    # As a kill would leave it: noted, stopped, and the one-off at work.
    api = stand_in.dockerd.client.api
    stand_in.dockerd.client.containers.get("graph-db").stop(timeout=5)
    note.write_bytes(was)
    lent = api.create_host_config(volumes_from=["graph-db"], network_mode="none")
    lent["VolumesFrom"] = [stand_in.dockerd.client.containers.get("graph-db").id]
    left = api.create_container(IMAGE, SERVE, labels=LABELS, host_config=lent)
    other = api.create_container(IMAGE, SERVE, labels=LABELS, host_config=api.create_host_config(network_mode="none"))
    for each in (left, other):
        api.start(each["Id"])
    (stand_in.data / "slow").unlink()
    plan = await stand_in.backup.plan("pa")
    assert plan.actions[0].kind == "start-again"
    assert (await stand_in.backup.apply("pa", plan.actions[0])).detail == "graph-db"
    assert stand_in.runs()
    assert [each["Id"] for each in api.containers() if each["Id"] in (left["Id"], other["Id"])] == [other["Id"]]


async def test_a_dump_comes_back_in_place_and_never_beside_a_server(stand_in: House) -> None:
    await made(stand_in.backup, stand_in.directory / "sets")
    stand_in.store.write_bytes(changed := zstd(size_said=0))
    with pytest.raises(TaskError, match="goes into no server that runs"):
        _into_a_server(stand_in)
    # The copy of what is there would be none: its header lies. Nothing is replaced.
    with pytest.raises(UpkeeperError, match="where its header says 0"):
        await stand_in.restored()
    assert stand_in.store.read_bytes() == changed
    assert stand_in.runs()
    stand_in.store.unlink()
    assert set(await stand_in.restored(without_copy=True)) == {"done"}
    assert stand_in.store.read_bytes() == zstd()
    assert stand_in.runs()
    assert stand_in.one_offs() == 0
    assert [each.name for each in stand_in.dockerd.client.volumes.list()] == ["graph_data"]
    (copy,) = (stand_in.directory / "sets").glob("backup-*")
    dump = copy / "neo4j/graph/neo4j.dump"
    dump.write_bytes(dump.read_bytes()[:-1])
    with pytest.raises(TaskError, match="is damaged"):
        await stand_in.restored()
    assert stand_in.store.read_bytes() == zstd()


def _into_a_server(house: House) -> None:
    found = choose(house.series, "latest", time.time)
    graphs_of(house.server, found, chosen(found.manifest, [])[0], house.directory)


def _never() -> threading.Event:
    return threading.Event()


@pytest.mark.torture
@LONG
async def test_with_the_real_program(house: House) -> None:
    image = neo4j_image(house.dockerd)
    port = free_port()
    environment = {"NEO4J_AUTH": "none"}
    house.start(image, environment=environment, network_mode="host",
                entrypoint=["/bin/sh", "-c", f"sed -i s/0.0.0.0:7687/127.0.0.1:{port}/ $NEO4J_CONF/neo4j.conf; exec /entry neo4j"])  # fmt: skip  # noqa: E501

    def asked(query: str) -> int | None:
        try:
            with neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{port}") as driver, driver.session() as session:
                return int(session.run(query).single(strict=True)[0])  # type: ignore[arg-type]
        except (neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError):
            return None

    count = "MATCH (n) RETURN count(n)"
    await wait_until(lambda: asked(count), equals=0, timeout=180)
    assert asked("UNWIND range(1, 1000) AS i CREATE (n:A {id: i}) RETURN count(n)") == 1000
    new = await made(house.backup, house.directory / "sets")
    manifest, _ = manifests.read(new)
    assert (await asyncio.to_thread(lambda: problems(new, manifest, _never())))[0] == []
    await wait_until(lambda: asked(count), equals=1000, timeout=180)
    # A drill of it: loaded before its server starts, counted, and its store checked.
    service = {"name": "graph", "image": image, "neo4j": "graph", "environment": environment}
    drill = {"services": [service], "memory": "1GiB", "spare": 0, "within": "10m"}
    one = series(house.directory / "sets", {"files": ["/x"]}, drill=drill)
    drilling = DisasterRecoveryTest([one], lambda: house.engine)
    (action,) = (await drilling.plan("pa")).actions
    said = (await drilling.apply("pa", action)).detail
    assert said.startswith("graph proved it: 1000 nodes, 0 relationships in neo4j, its store is consistent; recovered")
    asked("MATCH (n) WHERE n.id > 10 DELETE n RETURN count(n)")
    assert set(await house.restored()) == {"done"}
    await wait_until(lambda: asked(count), equals=1000, timeout=180)
    (copy,) = (house.directory / "sets").glob(".before-restore-*")
    assert set(await house.restored(set=copy.name)) == {"done"}
    await wait_until(lambda: asked(count), equals=10, timeout=180)
    # A server that was killed has a store that has to be recovered: refused, and it stays stopped.
    assert asked("UNWIND range(1, 100) AS i CREATE (n:B {id: i}) RETURN count(n)") == 100
    house.dockerd.client.containers.get("graph-db").kill()
    assert "not stopped in order" in str((await applied(house.backup))[0])
