"""A drill of a real PostgreSQL: its dump is loaded in the sandbox by its own image, and another service reads it there.

The image holds the programs of 18 as the tests have them. The dump is of a server of 15, as before a change of images.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.docker.engine import DockerEngine
from exporter.inventory.postgres import PostgresServer as Settings
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from tests.docker_images import libraries, root_tar, static_busybox
from tests.dockerd import Dockerd
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer, binaries
from tests.remediator.tasks.backup.series import made, series, task

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(os.getuid() != 0, reason="only root writes where the engine keeps volumes"),
]
IMAGE = "upkeeper-test/postgres-server:18"
SERVES = """
busybox mkdir -p /data && busybox chown 70 /data && exec busybox su postgres -s /bin/sh -c '
/pg/bin/initdb --pgdata=/data/d --username=postgres --auth=trust --no-sync --no-locale --encoding=UTF8 &&
echo host all all all trust >> /data/d/pg_hba.conf &&
exec /pg/bin/postgres -D /data/d -k /data/d -c listen_addresses=* -c shared_buffers=16MB -c fsync=off'
"""
ASK = ["/pg/bin/psql", "--host=letta-db", "--username=postgres", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
COUNT = "SELECT count(*) || ' agents' FROM agents"


@pytest.fixture(scope="module")
def image(dockerd: Dockerd) -> str:
    """A PostgreSQL server with its tools, and what they are linked with."""
    home = binaries(18).parent
    files = {
        "bin/busybox": static_busybox(),
        "etc/passwd": b"root:x:0:0::/:/bin/sh\npostgres:x:70:0::/:/bin/sh\n",
        "tmp/.keep": b"",
    }
    programs = [home / "bin" / name for name in ("postgres", "initdb", "psql", "pg_restore", "pg_isready")]
    own = [path for below in ("lib", "share") for path in (home / below).rglob("*") if path.suffix != ".a"]
    for path in (*programs, *own):
        if path.is_file():
            files[f"pg/{path.relative_to(home)}"] = path.read_bytes()
    for program in programs:
        files |= libraries(program)
    repository, _, tag = IMAGE.partition(":")
    dockerd.client.api.import_image_from_data(root_tar(files), repository=repository, tag=tag)
    return IMAGE


async def test_a_dump_is_loaded_by_its_own_image_and_read_by_another_service(
    dockerd: Dockerd, image: str, postgres_factory: Callable[..., PostgresServer], tmp_path: Path
) -> None:
    server = postgres_factory(15)
    server.sql("CREATE DATABASE letta")
    server.sql(
        "CREATE TABLE agents (id int PRIMARY KEY)", "INSERT INTO agents SELECT generate_series(1, 42)", dbname="letta"
    )
    (tmp_path / "password").write_text(PASSWORD)
    settings = Settings.model_validate(
        {"name": "letta-db", "host": "127.0.0.1", "port": server.port, "user": SUPERUSER,
         "password_file": str(tmp_path / "password")}
    )  # fmt: skip
    sets = tmp_path / "sets"
    sets.mkdir()
    make = {"postgres": [{"server": "letta-db", "databases": ["letta"]}]}
    new = await made(task(series(sets, make), [settings]), sets)

    restore = ["/pg/bin/pg_restore", "--host=127.0.0.1", "--username=postgres", "--no-owner", "--exit-on-error"]
    database = {
        "name": "letta-db", "image": image, "command": ["/bin/busybox", "sh", "-c", SERVES], "set_at": "/set",
        "ready": ["/pg/bin/pg_isready", "--host=127.0.0.1", "--username=postgres"],
        "load": [
            [*ASK, "--command=CREATE DATABASE letta"],
            [*restore, "--dbname=letta", "/set/postgres/letta-db/letta.dump"],
        ],
    }  # fmt: skip
    reader = {
        "name": "letta", "image": image, "command": ["sleep", "3600"],
        "prove": [*ASK, "--dbname=letta", "--tuples-only", "--no-align", f"--command={COUNT}"], "expect": "^42 ",
    }  # fmt: skip
    drill = {"services": [database, reader], "memory": "256MiB", "spare": 0}
    engine = DockerEngine(dockerd.host, 60.0)
    try:
        drilling = DisasterRecoveryTest([series(sets, make, drill=drill)], lambda: engine)
        plan = await drilling.plan("pa")
        assert plan.actions[0].reason.startswith("postgres:letta-db restored into a sandbox, where letta must prove")
        assert plan.notes == [f"letta-db is started from {image}, and proves nothing."]
        effect = await drilling.apply("pa", plan.actions[0])
    finally:
        engine.close()
    assert effect.detail.startswith("letta proved it: 42 agents; recovered in ")
    assert (await drilling.measure("pa")).breached is False
    assert new.name == plan.actions[0].object
