"""The client of the server's own image, where none here is as new: on a private engine, with the programs of 18.

The image holds PostgreSQL's own programs and their libraries. The server itself runs outside, and the container that is
said to serve it has the host's network, as no image of a whole server can be had here.
"""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import manifest as manifests
from exporter.docker.engine import DockerEngine
from exporter.inventory.postgres import PostgresServer as Settings
from remediator.model.task import TaskError
from remediator.tasks.backup.contained import LABELS, Contained
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.backup.sources.postgres import clients
from remediator.tasks.backup.sources.postgres.container import serving
from remediator.tasks.backup_verification.readable import problems
from tests.docker_images import libraries, root_tar, static_busybox
from tests.dockerd import Dockerd
from tests.helpers import wait_until
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer, binaries
from tests.remediator.tasks.backup.series import applied, made, series, task

IMAGE = "upkeeper-test/postgres:18"
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]


def listed(name: str, **keys: Any) -> dict[str, Any]:
    return {"Id": name, "ImageID": "i", "Names": [f"/{name}"], "Ports": [], **keys}


def test_the_container_that_serves_is_found_where_the_server_is() -> None:
    port = {"PublicPort": 5433, "PrivatePort": 5432, "Type": "tcp", "IP": "0.0.0.0"}
    db = listed("db", Ports=[port], NetworkSettings={"Networks": {"n": {"IPAddress": "172.18.0.2"}}})
    other = listed("other", NetworkSettings={"Networks": {"n": {"IPAddress": "172.18.0.3"}}})
    on_host = listed("on-host", HostConfig={"NetworkMode": "host"})
    every = [db, other, on_host]
    assert serving(every, "127.0.0.1", 5433, None) == (db, 5432)
    assert serving(every, "localhost", 5433, None) == (db, 5432)
    assert serving(every, "172.18.0.2", 5432, None) == (db, 5432)
    assert serving(every, "db", 5432, None) == (db, 5432)
    assert serving(every, "127.0.0.1", 5432, None) is None
    assert serving(every, "10.0.0.1", 5433, None) is None
    assert serving(every, "127.0.0.1", 5433, "other") == (other, 5432)
    assert serving(every, "127.0.0.1", 5499, "on-host") == (on_host, 5499)
    assert serving(every, "127.0.0.1", 5433, "none") is None
    assert serving([db, {**db, "Id": "again"}], "127.0.0.1", 5433, None) is None, "which of two is not guessed"


@pytest.fixture(scope="module")
def image(dockerd: Dockerd) -> str:
    """pg_dump and pg_dumpall of 18 with what they are linked with."""
    files = {"bin/busybox": static_busybox()}
    for name in ("pg_dump", "pg_dumpall"):
        program = binaries(18) / name
        files |= {f"bin/{name}": program.read_bytes(), **libraries(program)}
    name, _, tag = IMAGE.partition(":")
    dockerd.client.api.import_image_from_data(root_tar(files), repository=name, tag=tag)
    return IMAGE


class House:
    def __init__(self, dockerd: Dockerd, server: PostgresServer, directory: Path, name: str, image: str) -> None:
        self.client = dockerd.client
        self.engine = DockerEngine(dockerd.host, 30.0)
        self.server = server
        self.sets = directory / "sets"
        self.sets.mkdir()
        self.name = name
        self.image = image
        (directory / "password").write_text(PASSWORD)
        self.settings = Settings.model_validate(
            {"name": "main", "host": "127.0.0.1", "port": server.port, "user": SUPERUSER,
             "password_file": str(directory / "password")}
        )  # fmt: skip
        self.serves = self.client.containers.run(image, SLEEP, name=name, network_mode="host", detach=True)

    def task(self, **more: Any) -> Any:
        make = {"postgres": [{"server": "main", "databases": ["postgres"], "container": self.name, **more}]}
        return task(series(self.sets, make), [self.settings], engine=self.engine)

    def one_off(self) -> list[str]:
        (label,) = (f"{key}={value}" for key, value in LABELS.items())
        return [each.short_id for each in self.client.containers.list(all=True, filters={"label": label})]

    def close(self) -> None:
        self.serves.remove(force=True)
        self.engine.close()


@pytest.fixture
def house(
    dockerd: Dockerd, image: str, postgres_factory: Callable[..., PostgresServer], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[House]:  # fmt: skip
    monkeypatch.setattr(clients, "installed", list)
    one = House(dockerd, postgres_factory(18), tmp_path, f"pg{os.getpid()}", image)
    try:
        yield one
    finally:
        one.close()


@pytest.mark.servers
async def test_dumps_of_the_servers_own_image(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.server.sql("CREATE TABLE own (x int)", "INSERT INTO own SELECT generate_series(1, 5000)")
    new = await made(house.task(), house.sets)
    assert house.one_off() == []
    manifest, _ = manifests.read(new)
    (member,) = manifest.members
    assert member.facts["client_version"] == member.facts["server_version"]
    assert "CREATE ROLE" in (new / "postgres" / "main" / "globals.sql").read_text()
    with pytest.raises(TaskError, match="no pg_dump for PostgreSQL 18 is installed"):
        problems(new, manifest, threading.Event())
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{binaries(18)}:{os.environ['PATH']}")
    wrong, found = problems(new, manifest, threading.Event())
    assert (wrong, found) == ([], ["postgres:main: 1 database, 5000 rows"])


@pytest.mark.servers
async def test_a_dump_that_fails_says_why_and_leaves_nothing(house: House) -> None:
    (house.sets.parent / "password").write_text("wrong")
    house.settings = house.settings.model_copy(update={"password_file": str(house.sets.parent / "password")})
    with pytest.raises(TaskError, match="password authentication failed"):
        await house.task().plan("pa")
    (house.sets.parent / "password").write_text(PASSWORD)
    effects = await applied(house.task(exclude_tables=["a.b.c.d"]))
    assert isinstance(effects[0], str)
    assert "PostgreSQL main: pg_dump of database postgres: improper relation name" in effects[0]
    assert house.one_off() == []
    with pytest.raises(TaskError, match=r"no container nobody runs, which make\.postgres names for the server main"):
        await house.task(container="nobody").plan("pa")


@pytest.mark.servers
def test_it_is_gone_when_it_is_told_to_stop(house: House) -> None:
    stop = threading.Event()
    command = ["/bin/sh", "-c", "echo begun; sleep 3600"]
    secret = {"PGPASSWORD": "secret"}
    with Contained(house.client.api, house.image, command, "none", stop, secret) as program:
        assert program.read(100) == b"begun\n"
        assert len(house.one_off()) == 1
        stop.set()
        with pytest.raises(Stopped):
            program.end()
    wait_until_gone(house)


def wait_until_gone(house: House) -> None:
    import asyncio

    asyncio.run(wait_until(house.one_off, equals=[]))
