"""PostgreSQL servers in a set: what is restored equals what was backed up, and what is said when it cannot be."""

import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from exporter.backups import manifest as manifests
from exporter.backups.manifest import Member
from exporter.inventory.postgres import PostgresServer as Settings
from remediator.model.task import TaskError
from remediator.tasks.backup.sources.postgres import clients
from remediator.tasks.backup.sources.postgres.clients import Client
from remediator.tasks.backup.sources.postgres.described import database_facts
from remediator.tasks.backup_verification.readable import problems
from tests.helpers import require_program
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer, binaries
from tests.remediator.tasks.backup.series import applied, made, series, task

pytestmark = pytest.mark.servers

Factory = Callable[..., PostgresServer]
DATABASE = 'odd "name/ü'

CONTENT = """
    CREATE SCHEMA "Select";
    CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, data jsonb, raw bytea);
    INSERT INTO people (name, data, raw)
        SELECT 'person ' || n, jsonb_build_object('n', n), decode(md5(n::text), 'hex') FROM generate_series(1, 1000) n;
    CREATE INDEX by_name ON people USING gin (to_tsvector('simple', name));
    CREATE TABLE "Select"."where" (a int REFERENCES people, b text GENERATED ALWAYS AS (a::text) STORED);
    INSERT INTO "Select"."where" (a) SELECT id FROM people LIMIT 10;
    CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
    CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO events SELECT '2025-12-01'::date + n, 'e' FROM generate_series(1, 60) n;
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM people;
    CREATE VIEW names AS SELECT name FROM people;
    CREATE SEQUENCE tickets START 41;
    SELECT nextval('tickets'), lo_from_bytea(0, 'a large object'), lo_from_bytea(0, 'another');
    CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql AS 'SELECT 2 * i';
    ALTER TABLE people ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON people USING (name = current_user);
    CREATE ROLE "odd; role" LOGIN PASSWORD 'x';
    GRANT SELECT ON people TO "odd; role";
    ALTER TABLE names OWNER TO "odd; role";
"""


@dataclass
class House:
    """A server with something in it, and where sets of it go."""

    server: PostgresServer
    sets: Path
    password: Path

    def settings(self, **changes: Any) -> Settings:
        return Settings.model_validate(
            {
                "name": "main", "host": self.server.socket, "port": self.server.port, "user": SUPERUSER,
                "password_file": str(self.password), **changes,
            }
        )  # fmt: skip

    def task(self, more: Mapping[str, Any] | None = None, **changes: Any) -> Any:
        make = {"postgres": [{"server": "main", "databases": [DATABASE], **(more or {})}]}
        return task(series(self.sets, make), [self.settings(**changes)])

    def facts(self, dbname: str) -> dict[str, Any]:
        with psycopg.connect(self.server.conninfo(dbname=dbname)) as connection:
            return database_facts(connection)


def on_path(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{binaries(version)}:{os.environ['PATH']}")


@pytest.fixture
def house(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    on_path(postgres.version, monkeypatch)
    password, sets = tmp_path / "password", tmp_path / "sets"
    password.write_text(PASSWORD)
    sets.mkdir()
    quoted = DATABASE.replace('"', '""')
    postgres.sql(f'CREATE DATABASE "{quoted}"')
    try:
        postgres.psql(CONTENT, DATABASE)
        yield House(postgres, sets, password)
    finally:
        postgres.sql(f'DROP DATABASE "{quoted}" WITH (FORCE)', 'DROP ROLE IF EXISTS "odd; role"')


def restored(house: House, set_directory: Path, member: Member) -> dict[str, Any]:
    """What a database holds that was restored from a set, on the same server."""
    house.server.sql("DROP DATABASE IF EXISTS again WITH (FORCE)", "CREATE DATABASE again TEMPLATE template0")
    dump = set_directory / member.facts["databases"][DATABASE]["file"]
    restore = binaries(house.server.version) / "pg_restore"
    login = house.server.conninfo(dbname="again")
    done = subprocess.run(
        [restore, "--exit-on-error", f"--dbname={login}", dump], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    try:
        return house.facts("again")
    finally:
        house.server.sql("DROP DATABASE again WITH (FORCE)")


async def test_what_is_restored_equals_what_was_backed_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []
    really = subprocess.Popen

    def popen(command: Any, *args: Any, **keys: Any) -> Any:
        commands.extend(str(part) for part in command)
        return really(command, *args, **keys)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", popen)
        new = await made(house.task(), house.sets)
    assert any(part.endswith("pg_dump") for part in commands)
    assert PASSWORD not in " ".join(commands)
    (member,) = manifests.read(new)[0].members
    assert member.facts["server_version"].split(".")[0] == str(house.server.version)
    assert member.facts["client_version"].split(".")[0] == str(house.server.version)
    said = member.facts["databases"][DATABASE]
    assert said["rows"] == {
        '"Select"."where"': 10, "public.events_2025": 30, "public.events_2026": 30, "public.people": 1000,
    }  # fmt: skip
    assert (said["large_objects"], said["sequences"]["public.tickets"]) == (2, 41)
    assert {key: value for key, value in said.items() if key != "file"} == house.facts(DATABASE)
    back = restored(house, new, member)
    assert {key: value for key, value in said.items() if key != "file"} == back
    roles = (new / "postgres" / "main" / "globals.sql").read_text()
    assert 'CREATE ROLE "odd; role"' in roles
    assert "SCRAM-SHA-256$" in roles
    assert all(path.stat().st_mode & 0o077 == 0 for path in new.rglob("*"))


async def test_counts_are_of_the_moment_of_the_dump(house: House) -> None:
    """Rows are added all the while, so a count of another moment would be another one."""
    end = threading.Event()

    def add() -> None:
        with house.server.connect(DATABASE) as connection:
            while not end.is_set():
                connection.execute("INSERT INTO people (name) SELECT 'new' FROM generate_series(1, 10)")

    adding = threading.Thread(target=add)
    adding.start()
    try:
        new = await made(house.task(), house.sets)
    finally:
        end.set()
        adding.join()
    (member,) = manifests.read(new)[0].members
    said = member.facts["databases"][DATABASE]["rows"]
    assert said["public.people"] < house.facts(DATABASE)["rows"]["public.people"]
    assert restored(house, new, member)["rows"] == said


async def test_a_dump_is_read_to_its_last_row(house: House) -> None:
    new = await made(house.task(), house.sets)
    manifest, _ = manifests.read(new)
    (member,) = manifest.members
    assert problems(new, manifest, threading.Event()) == ([], ["postgres:main: 1 database, 1070 rows"])
    dump = new / member.facts["databases"][DATABASE]["file"]
    data = dump.read_bytes()
    rng = random.Random(house.server.version)
    start = data.index(b"\x78\x9c") if b"\x78\x9c" in data else len(data) // 2  # where the first compressed block is
    for at in [rng.randrange(start, len(data) - 1000) for _ in range(6)]:
        dump.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        assert problems(new, manifest, threading.Event())[0], f"a changed byte at {at} of {len(data)} was not noticed"
    for end in (0, 100, len(data) // 2, len(data) - 100):
        dump.write_bytes(data[:end])
        assert problems(new, manifest, threading.Event())[0], f"a dump cut to {end} bytes was not noticed"
    dump.write_bytes(data)
    facts = json.loads(json.dumps(member.facts))
    facts["databases"][DATABASE]["rows"]["public.people"] = 1001
    fewer = replace(manifest, members=[replace(member, facts=facts)])
    assert problems(new, fewer, threading.Event())[0] == [
        f"postgres:main: database {DATABASE}: public.people has 1000 rows, where 1001 were backed up"
    ]


async def test_every_database_but_templates(house: House) -> None:
    new = await made(house.task({"databases": []}), house.sets)
    (member,) = manifests.read(new)[0].members
    assert {"postgres", DATABASE} <= set(member.facts["databases"])
    assert not {"template0", "template1"} & set(member.facts["databases"])


@pytest.fixture
def house15(postgres15: PostgresServer, tmp_path: Path) -> Iterator[House]:
    password, sets = tmp_path / "password", tmp_path / "sets"
    password.write_text(PASSWORD)
    sets.mkdir()
    postgres15.sql("CREATE ROLE reader LOGIN PASSWORD 'r3ader'")
    try:
        yield House(postgres15, sets, password)
    finally:
        postgres15.sql("DROP OWNED BY reader", "DROP ROLE reader")


async def test_a_wrong_password_is_told_before_anything_is_written(house15: House) -> None:
    house15.password.write_text("wrong")
    with pytest.raises(TaskError) as told:
        await house15.task().plan("pa")
    assert str(told.value) == (
        f'PostgreSQL main: password authentication failed for user "{SUPERUSER}"; '
        f"correct the password in {house15.password}"
    )
    assert list(house15.sets.iterdir()) == []


async def test_a_missing_right_is_told(house15: House) -> None:
    house15.server.sql("CREATE TABLE secrets (x int)")
    try:
        house15.password.write_text("r3ader")
        effects = await applied(house15.task({"databases": ["postgres"]}, user="reader"))
    finally:
        house15.server.sql("DROP TABLE secrets")
    assert isinstance(effects[0], str)
    assert effects[0].startswith("PostgreSQL main: permission denied for table secrets; reader needs pg_read_all_data")
    assert list(house15.sets.iterdir()) == []


async def test_a_database_that_is_not_there_is_told(house15: House) -> None:
    with pytest.raises(TaskError, match=r"PostgreSQL main has no database 'nope' to dump; it has: .*postgres"):
        await house15.task({"databases": ["nope"]}).plan("pa")


async def test_a_server_that_goes_away_in_the_middle(
    postgres_factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres_factory()
    server.sql("CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 200000) n")
    password, sets = tmp_path / "password", tmp_path / "sets"
    password.write_text(PASSWORD)
    sets.mkdir()
    house = House(server, sets, password)
    really = database_facts

    def facts_then_gone(connection: Any) -> Any:
        found = really(connection)
        server.terminate(signal.SIGQUIT)
        return found

    monkeypatch.setattr("remediator.tasks.backup.sources.postgres.source.database_facts", facts_then_gone)
    effects = await applied(house.task({"databases": ["postgres"]}))
    assert isinstance(effects[0], str)
    assert effects[0].startswith("PostgreSQL main: pg_dump of database postgres: ")
    assert "\n" not in effects[0]
    assert list(sets.iterdir()) == []


def test_the_client_is_as_new_as_the_server() -> None:
    found = [Client(Path(f"/{major}"), major, f"{major}.1") for major in (18, 15, 16)]
    assert [clients.best(found, major).major for major in (13, 15, 16, 17, 18)] == [15, 15, 16, 18, 18]
    with pytest.raises(TaskError, match=r"no pg_dump for PostgreSQL 19 is installed \(only 18.1, 15.1, 16.1\)"):
        clients.best(found, 19)
    with pytest.raises(TaskError, match=r"there is none.*install the package postgresql-client-15"):
        clients.best([], 15)


def test_clients_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{binaries(18)}:{os.environ['PATH']}")
    found = {client.major: client for client in clients.installed()}
    assert Path(found[18].program("pg_restore")).exists()
    assert found[15].directory == clients.DEBIAN / "15" / "bin"


async def test_an_encrypted_set_is_restored_as_it_was(house: House, tmp_path: Path) -> None:
    """Dumps go through a pipe then, and never to disk as they are."""
    keygen = require_program("age-keygen", "age")
    subprocess.run([keygen, "-o", str(tmp_path / "key")], check=True, capture_output=True)
    public = subprocess.run([keygen, "-y", str(tmp_path / "key")], check=True, capture_output=True).stdout
    (tmp_path / "recipients").write_bytes(public)
    make = {
        "postgres": [{"server": "main", "databases": [DATABASE]}],
        "encrypt": {"age_recipients_file": str(tmp_path / "recipients")},
    }
    new = await made(task(series(house.sets, make), [house.settings()]), house.sets)
    manifest, _ = manifests.read(new)
    (member,) = manifest.members
    assert all((new / path).read_bytes().startswith(b"age-encryption.org/v1\n") for path in member.files)
    wrong, found = problems(new, manifest, threading.Event(), str(tmp_path / "key"))
    assert wrong == []
    assert found[0].startswith("postgres:main: 1 database, ")
    dump = new / member.facts["databases"][DATABASE]["file"]
    plain = dump.with_suffix("")
    command = [require_program("age", "age"), "-d", "-i", str(tmp_path / "key"), "-o", str(plain), str(dump)]
    subprocess.run(command, check=True, capture_output=True)
    facts = {**member.facts, "databases": {DATABASE: {"file": str(plain.relative_to(new))}}}
    assert restored(house, new, replace(member, facts=facts)) == house.facts(DATABASE)
