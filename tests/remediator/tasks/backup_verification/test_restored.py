"""The proof ``restored``, on real servers: what is loaded is compared with what was counted; nothing stays."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import manifest as manifests
from exporter.backups.manifest import Manifest
from remediator.model.task import TaskError
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.backup_verification.restored import problems
from remediator.tasks.restoring import archive, postgres_server, scratch
from remediator.tasks.restoring.postgres import differences, roles_of
from tests.helpers import wait_until
from tests.postgres_server import PASSWORD, PostgresServer
from tests.remediator.tasks.backup.series import made, series, task
from tests.remediator.tasks.backup.test_postgres import CONTENT, DATABASE, House, on_path

STOP = threading.Event()
ACL = "system.posix_acl_access"
ROOT = Path(__file__).parents[4]


@pytest.fixture
def place() -> Iterator[Path]:
    """Where sets are restored: not pytest's directory, whose parents only their owner may enter."""
    made = Path(tempfile.mkdtemp(prefix="r-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def new(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of a database with everything in it, which is gone from its server by now."""
    on_path(postgres.version, monkeypatch)
    password, sets = tmp_path / "password", tmp_path / "sets"
    password.write_text(PASSWORD)
    sets.mkdir()
    quoted = DATABASE.replace('"', '""')
    postgres.sql(f'CREATE DATABASE "{quoted}"')
    try:
        postgres.psql(CONTENT, DATABASE)
        return await made(House(postgres, sets, password).task(), sets)
    finally:
        postgres.sql(f'DROP DATABASE "{quoted}" WITH (FORCE)', 'DROP ROLE IF EXISTS "odd; role"')


def changed(manifest: Manifest, change: Callable[[Any], None]) -> Manifest:
    """A manifest of other facts."""
    (member,) = manifest.members
    facts = json.loads(json.dumps(member.facts))
    change(facts)
    return replace(manifest, members=[replace(member, facts=facts)])


@pytest.mark.servers
async def test_a_server_is_restored_and_compared(new: Path, place: Path, postgres: PostgresServer) -> None:
    manifest, _ = manifests.read(new)
    servers: list[int] = []
    really = postgres_server._await

    def watched(server: Any, process: Any, stop: Any) -> None:
        really(server, process, stop)
        servers.append(process.process.pid)
        if os.geteuid() == 0:
            assert Path(f"/proc/{process.process.pid}").stat().st_uid != 0
            assert os.readlink(f"/proc/{process.process.pid}/ns/net") != os.readlink("/proc/self/ns/net")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_server, "_await", watched)
        wrong, found = problems(new, manifest, place, STOP)
        assert (wrong, len(found)) == ([], 1)
        roles = len(manifest.members[0].facts["roles"])
        version = manifest.members[0].facts["client_version"]
        assert found[0] == f"postgres:main: 1 database, 1070 rows, {roles} roles in PostgreSQL {version}"
    assert list(place.iterdir()) == []
    assert len(servers) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in servers)


@pytest.fixture
async def new15(postgres15: PostgresServer, tmp_path: Path) -> Path:
    password, sets = tmp_path / "password", tmp_path / "sets"
    password.write_text(PASSWORD)
    sets.mkdir()
    return await made(House(postgres15, sets, password).task({"databases": ["postgres"]}), sets)


@pytest.mark.servers
async def test_what_cannot_be_told_is_not_called_damaged(new15: Path, place: Path) -> None:
    manifest, _ = manifests.read(new15)

    def extension(facts: Any) -> None:
        facts["databases"]["postgres"]["extensions"]["vector"] = "0.8.0"

    def future(facts: Any) -> None:
        facts["client_version"] = "77.1"

    with pytest.raises(TaskError, match="database postgres needs the extension vector, which is not installed"):
        problems(new15, changed(manifest, extension), place, STOP)
    with pytest.raises(TaskError, match=r"no server of PostgreSQL 77 is installed.*postgresql-77"):
        problems(new15, changed(manifest, future), place, STOP)
    with pytest.raises(TaskError, match="is not there: make it, or correct scratch:"):
        problems(new15, manifest, place / "no", STOP)
    assert list(place.iterdir()) == []


@pytest.mark.servers
async def test_what_is_not_as_it_was_counted_is_told_and_a_damaged_dump_not_loaded(new15: Path, place: Path) -> None:
    manifest, _ = manifests.read(new15)

    def table(facts: Any) -> None:
        facts["databases"]["postgres"]["rows"]["public.lost"] = 1

    assert problems(new15, changed(manifest, table), place, STOP)[0] == [
        "postgres:main: database postgres: the table public.lost is missing"
    ]
    dump = new15 / "postgres" / "main" / "postgres.dump"
    dump.write_bytes(dump.read_bytes()[:-1] + b"?")
    assert problems(new15, manifest, place, STOP)[0] == [
        "postgres:main: postgres/main/postgres.dump has another content"
    ]


@pytest.mark.servers
async def test_a_restore_that_is_stopped_leaves_nothing(
    new15: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, _ = manifests.read(new15)
    stop = threading.Event()
    really = postgres_server._await

    def then_stopped(server: Any, process: Any, given: Any) -> None:
        really(server, process, given)
        stop.set()

    monkeypatch.setattr(postgres_server, "_await", then_stopped)
    with pytest.raises(Stopped):
        problems(new15, manifest, place, stop)
    assert list(place.iterdir()) == []


KILLED = """
import sys, threading
from pathlib import Path
from exporter.backups import manifest as manifests
from remediator.tasks.backup_verification.restored import problems
from remediator.tasks.restoring import postgres_server
really = postgres_server._await
def told(server, process, stop):
    really(server, process, stop)
    print(process.process.pid, flush=True)
    threading.Event().wait()
postgres_server._await = told
new, place = map(Path, sys.argv[1:])
problems(new, manifests.read(new)[0], place, threading.Event())
"""


@pytest.mark.servers
async def test_what_a_kill_leaves_ends_and_is_swept_up(new15: Path, place: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(new15), str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        scratch.sweep(place)
        assert [each.is_dir() for each in place.iterdir()] == [True], "what is worked on is left alone"
        running.send_signal(signal.SIGKILL)
    await wait_until(lambda: not Path(f"/proc/{pid}").exists())

    def swept() -> bool:  # its last processes may still write there for a moment
        scratch.sweep(place)
        return not list(place.iterdir())

    await wait_until(swept)


async def test_archives_and_sqlite(tmp_path: Path, place: Path) -> None:
    import sqlite3
    from contextlib import closing

    (tmp_path / "data").mkdir()
    (tmp_path / "sets").mkdir()
    (tmp_path / "data" / "file").write_text("content")
    (tmp_path / "data" / "link").symlink_to("/etc/passwd")
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (1)")
        database.commit()
    make = {"files": [str(tmp_path / "data")], "sqlite": [{"name": "x", "path": str(tmp_path / "x.sqlite")}]}
    new = await made(task(series(tmp_path / "sets", make)), tmp_path / "sets")
    manifest, _ = manifests.read(new)
    assert problems(new, manifest, place, STOP) == ([], ["sqlite:x: 1 row", "files: 3 entries"])
    for name in ("files.tar.zst", "sqlite/x.sqlite"):
        data = (new / name).read_bytes()
        (new / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        (wrong,) = problems(new, manifest, place, STOP)[0]
        assert f"{name} has another content" in wrong or f"{name} cannot be unpacked" in wrong
        (new / name).write_bytes(data)
    fewer = replace(manifest, members=[replace(manifest.members[0], facts={"rows": {"t": 2}})])
    assert problems(new, fewer, place, STOP)[0] == ["sqlite:x: rows are {'t': 1}, where they were {'t': 2}"]
    assert list(place.iterdir()) == []


async def test_extended_attributes_and_acls_are_compared(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GNU tar's own comparison passes over them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "sets").mkdir()
    file, odd = tmp_path / "data" / "file", tmp_path / "data" / "-odd\nname \udcff"
    file.write_text("content")
    odd.write_text("content")
    os.setxattr(file, "user.origin", b"a\0b")
    os.setxattr(odd, "user.other", "\N{SNOWMAN}".encode())
    entries = ((1, 6, -1), (2, 4, 65534), (4, 4, -1), (16, 4, -1), (32, 4, -1))  # acl(5): tag, rights, id
    os.setxattr(file, ACL, struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *each) for each in entries))
    new = await made(task(series(tmp_path / "sets", {"files": [str(tmp_path / "data")]})), tmp_path / "sets")
    manifest, _ = manifests.read(new)
    assert problems(new, manifest, place, STOP) == ([], ["files: 3 entries"])
    really = archive.unpack
    for lose in (
        lambda copy: os.removexattr(copy, "user.origin"),
        lambda copy: os.setxattr(copy, "user.more", b"1"),
        lambda copy: os.removexattr(copy, ACL),
    ):

        def unpack(*given: Any, lose: Any = lose) -> list[str]:
            said = really(*given)
            (copy,) = given[2].rglob("file")
            lose(copy)
            return said

        monkeypatch.setattr(archive, "unpack", unpack)
        (wrong,), _ = problems(new, manifest, place, STOP)
        assert wrong.startswith("files: files.tar.zst, unpacked: "), wrong
        assert any(word in wrong for word in ("user.origin is missing", "user.more is new", "acl.access is missing")), (
            wrong
        )


FACTS: dict[str, Any] = {
    "encoding": "UTF8", "rows": {"a.b": 3, "a.c": 0}, "objects": {"tables": 2, "indexes": 1},
    "sequences": {"a.s": 7}, "extensions": {"x": "1"}, "large_objects": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "left_out", "told"),
    [
        ("rows", {"a.b": 3, "a.c": 0}, False, []),
        ("rows", {"a.b": 0, "a.c": 0}, False, ["a.b has 0 rows, where 3 were backed up"]),
        ("rows", {"a.b": 0, "a.c": 0}, True, []),
        ("rows", {"a.b": 2, "a.c": 0}, True, ["a.b has 2 rows, where 3 were backed up"]),
        ("rows", {"a.b": 3}, False, ["the table a.c is missing"]),
        ("rows", {"a.b": 3, "a.c": 0, "d.e": 0}, False, ["there is a table d.e that was not there"]),
        ("objects", {"tables": 2}, False, ["it has 0 indexes, where 1 were backed up"]),
        ("objects", {"tables": 2, "indexes": 1, "views": 1}, False, ["it has 1 views, where 0 were backed up"]),
        ("sequences", {"a.s": 6}, False, ["sequences: {'a.s': 6}, where it was {'a.s': 7}"]),
        ("extensions", {}, False, ["the extension x is missing"]),
        ("large_objects", 1, False, ["large objects: 1, where it was 2"]),
        ("encoding", "LATIN1", False, ["encoding: 'LATIN1', where it was 'UTF8'"]),
    ],
)
def test_what_differs_is_told(key: str, value: object, left_out: bool, told: list[str]) -> None:
    assert differences(FACTS, {**FACTS, key: value}, left_out=left_out) == told


def test_another_version_of_an_extension_may_bring_other_objects() -> None:
    assert differences(FACTS, {**FACTS, "extensions": {"x": "2"}, "objects": {}}) == []


def test_only_roles_are_made() -> None:
    script = "\\restrict abc\nCREATE ROLE a;\nCREATE TABLESPACE t OWNER a LOCATION '/srv/t';\n"
    script += "ALTER TABLESPACE t OWNER TO a;\nGRANT ALL ON TABLESPACE t TO b;\nGRANT a TO b;\n\\! rm -r /\n"
    assert roles_of(script) == "CREATE ROLE a;\nGRANT a TO b;\n"
