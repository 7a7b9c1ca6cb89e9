"""Two hosts with roles of their own on one PostgreSQL, one of them stolen: all that its credential can do is tried."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from remediator.config.config import Config
from remediator.control import rights
from remediator.model.errors import ClientError, RequestError
from remediator.store.database import Database, newest_version
from remediator.store.moving import faults_of
from remediator.store.rights import engine_schema, role_statement
from remediator.store.tables import metadata
from tests.helpers import long_form, wait_until
from tests.postgres_server import PostgresServer, private_postgres
from tests.remediator.conftest import REMEDY
from tests.remediator.control.test_fleet import CONFIG, Member
from tests.remediator.stack import alert, notification, settings
from tests.remediator.sweep import Sweep
from tests.upkeeper.commandline import invoke

pytestmark = pytest.mark.servers

VICTIM, STOLEN = "kitchen", "cellar"
Connection = psycopg.Connection[Any]


class Shared:
    """A database with a role for its owner, who is no superuser, and one for each host."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server = server
        self.name = name
        self.owner = f"postgresql://keeper:k33per@127.0.0.1:{server.port}/{name}"
        self.urls: dict[str, str] = {}

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """As the superuser."""
        return self.server.sql(*statements, dbname=self.name)

    async def give_roles(self, *hosts: str) -> None:
        self.urls |= {one.host: one.url for one in await rights.apply(self.owner, hosts) if one.url is not None}


@pytest.fixture(scope="module", params=[15, 18])
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    with private_postgres(request.param) as server:
        server.sql("CREATE ROLE keeper LOGIN CREATEROLE PASSWORD 'k33per'", "CREATE DATABASE fleet OWNER keeper")
        one = Shared(server, "fleet")
        asyncio.run(one.give_roles(VICTIM, STOLEN))
        yield one


@asynccontextmanager
async def members(shared: Shared, root: Path, **fleet: Any) -> AsyncIterator[tuple[Member, Member]]:
    """The victim, which is called, and the stolen host's remediator while it is still an honest one."""
    async with AsyncExitStack() as stack:
        both = []
        for host in (VICTIM, STOLEN):
            member = Member(root, shared.urls[host], host)
            stack.push_async_callback(member.close)
            await member.start()
            both.append(member)
        victim = both[0]
        config = Config.model_validate({**CONFIG, "fleet": {"host_label": "node", **fleet}})
        asking = REMEDY.model_copy(update={"autonomy": "approve", "cooldown": 0.0})
        victim.core.apply_settings(settings(Sweep(victim.attic), [asking], config))
        assert victim.core.membership.presence is not None
        listening = asyncio.create_task(victim.core.membership.presence.run())
        yield both[0], both[1]
        listening.cancel()


_numbers = itertools.count(1)


async def waiting_plan(victim: Member, through: Member) -> dict[str, Any]:
    """What an alert of the victim, taken by the other, leads to: a plan that waits."""
    (victim.attic / "dust").touch()
    await through.core.inbox.accept(notification(alert(node=victim.host, number=str(next(_numbers)))))
    await victim.decide()

    async def there() -> list[int]:
        return [one["id"] for one in (await through.core.approvals(state="asked", host=victim.host))["items"]]

    await wait_until(there, what="a plan to wait")
    return dict(await through.core.approval((await there())[0]))


def _once(shared: Shared) -> None:
    """What is not the database's to tell is tried on one version."""
    if shared.server.version != 15 and not long_form():
        pytest.skip("tried on PostgreSQL 15; `make torture` has it on both")


async def test_hosts_with_roles_of_their_own_do_for_each_other_what_hosts_do(shared: Shared, tmp_path: Path) -> None:
    _once(shared)
    async with members(shared, tmp_path) as (victim, other):
        assert victim.core._database.held
        # Alerts, approvals, cancelling, runs, pauses: each through the host whose they are.
        shown = await waiting_plan(victim, other)
        answered = await other.core.decide_approval(shown["id"], "approve", shown["plan_hash"])
        assert (answered["host"], answered["state"], answered["by"]["name"]) == (
            VICTIM,
            "approved",
            "anna at cellar",
        )

        async def outcomes() -> list[str | None]:
            return [run["outcome"] for run in (await other.core.runs(host=VICTIM))["items"]]

        await wait_until(outcomes, equals=["effective"])
        shown = await waiting_plan(victim, other)
        assert (await other.core.cancel_run(shown["run"], "moving"))["outcome"] == "cancelled"
        asked = await other.core.start_run("sweep", "attic", host=VICTIM)
        await wait_until(outcomes, equals=["effective", "cancelled", "effective"])
        (there,) = await other.core.pause("sweep", "moving", 60.0, host=VICTIM)
        assert (there["host"], there["caller"]["name"]) == (VICTIM, "anna at cellar")
        with pytest.raises(RequestError, match="no breaker is open for sweep on attic"):
            await other.core.close_breaker("sweep", "attic", host=VICTIM)
        with pytest.raises(RequestError, match="remedy tidy has the autonomy that the config says: approve"):
            await other.core.reset_autonomy("tidy", host=VICTIM)
        assert await other.core.resume("sweep", host=VICTIM) == []
        with pytest.raises(RequestError, match="there is no host 'roof'") as caught:
            await other.core.pause(None, "moving", 60.0, host="roof")
        assert caught.value.status == 404
        records = [one for one in (await other.core.audit(run=asked["id"]))["items"] if one["kind"] == "run.asked"]
        assert [(one["host"], one["body"]["via"]) for one in records] == [(VICTIM, STOLEN)]
        assert {one["host"] for one in (await other.core.audit())["items"]} == {VICTIM, STOLEN}


async def test_a_host_says_for_whom_it_does_something(shared: Shared, tmp_path: Path) -> None:
    _once(shared)
    async with members(shared, tmp_path, obeys=["roof"]) as (victim, other):
        with pytest.raises(RequestError, match="host kitchen does nothing for cellar") as caught:
            await other.core.pause(None, "moving", 60.0, host=VICTIM)
        assert caught.value.status == 403
        asked = await other.core.start_run("sweep", "attic", host=VICTIM)

        async def ended() -> tuple[str | None, str]:
            run = await other.core.run(asked["id"])
            return run["outcome"], run["reason"]

        await wait_until(lambda: ended_is(ended), what="the run to be refused")
        assert (await ended())[1].startswith("host kitchen does nothing for cellar (`fleet: {obeys: ...}`")
        shown = await waiting_plan(victim, other)
        with pytest.raises(RequestError, match="does nothing for cellar"):
            await other.core.decide_approval(shown["id"], "approve", shown["plan_hash"])
        await victim.core.decide_approval(shown["id"], "deny", shown["plan_hash"])


async def ended_is(ended: Any) -> bool:
    return (await ended())[0] == "failed"


FILLED = (
    "INSERT INTO pauses (host, task, trigger, caller, reason, since) VALUES ('{0}', 'sweep', 'cli', 'anna', '', 1)",
    "INSERT INTO breaker_resets VALUES ('{0}', 'sweep', 'attic', 'cli', 'anna', 1)",
    "INSERT INTO senders VALUES ('{0}', 'upkeeper', 1)",
    "INSERT INTO levels (host, remedy, configured, reason, at) VALUES ('{0}', 'tidy', 'auto', '', 1)",
    "INSERT INTO jobs VALUES ('{0}', 'nightly', 'sweep', NULL, '0 2 * * *', 'UTC', 1, 1, 1, 0)",
    "INSERT INTO due_times (host, job, due_at, first_due_at, count, state, reason, decided_at, targets)"
    " VALUES ('{0}', 'nightly', 1, 1, 1, 'waiting', '', 1, '[]')",
    "INSERT INTO tokens (host, name, role, hash, trigger, caller, created_at)"
    " VALUES ('{0}', 'laptop', 'operator', '{0}', 'cli', 'anna', 1)",
    "INSERT INTO artefacts (run_id, name, media_type, size, sha256, made_at, content)"
    " SELECT max(id), 'report', 'text/plain', 1, '', 1, 'x' FROM runs WHERE host = '{0}'",
    "INSERT INTO run_rows SELECT max(id), 1, '{{}}' FROM runs WHERE host = '{0}'",
    "INSERT INTO silences (host, purpose, run_id, matchers, comment, held, since, reason)"
    " SELECT '{0}', 'page', max(id), '[]', '', '{{}}', 1, '' FROM runs WHERE host = '{0}'",
    "INSERT INTO chat_messages (host, channel, recipient, approval_id, secret, shown, at)"
    " SELECT '{0}', 'slack', 'x', max(id), 's{0}', 'asked', 1 FROM approvals WHERE host = '{0}'",
    "INSERT INTO told SELECT '{0}', 'mail', max(id), 'x', 1 FROM alerts WHERE host = '{0}'",
    "INSERT INTO rollouts (host, task, target, params, trigger, caller, wait, alerts, members, state, reason, asked_at,"
    " since, hitch, driver, driven_until) VALUES ('{0}', 'sweep', 'attic', '{{}}', 'cli', 'anna', 1, true, '[]',"
    " 'running', '', 1, 1, '', '{0}', extract(epoch FROM now()) + 3600)",
    "INSERT INTO asks (host, sender, operation, given, trigger, caller, asked_at, until)"
    " VALUES ('{0}', 'roof', 'pause', '{{}}', 'cli', 'anna', 1, 1)",
)
"""A row of the victim in every table in which none came by itself."""
COUNT = "coalesce({0}, 0) + 1"
OTHER_VALUE = {"BIGINT": COUNT, "INTEGER": COUNT, "FLOAT": COUNT, "BOOLEAN": "NOT {0}", "JSON": "'[7]'"}
TEXT = "left(md5(coalesce({0}, '')), 8)"
RECEIVED = {
    "status", "ends_at", "labels", "annotations", "generator_url", "last_received_at", "receptions", "due_at",
    "seen_at", "muted", "host", "no_host",
}  # fmt: skip
"""What any host writes of any alert, as it takes it from Alertmanager; whose it is stays as it is."""
UNIQUE = ("name", "fingerprint", "secret", "hash", "remedy", "way", "receiver", "recipient", "task")
NUMBERS = ("number", "position", "starts_at", "due_at")


def rows_of(shared: Shared, table: sa.Table) -> list[dict[str, Any]]:
    """The victim's rows of a table, by the superuser."""
    select = f"SELECT to_jsonb(t) FROM {table.name} AS t WHERE {_victims(table)} ORDER BY to_jsonb(t)::text"
    return [row for (row,) in shared.sql(select)]


def _victims(table: sa.Table) -> str:
    if "host" in table.c:
        return f"host = '{VICTIM}'"
    return f"run_id IN (SELECT id FROM runs WHERE host = '{VICTIM}')"


def changes(table: sa.Table) -> Iterator[str]:
    """Statements that would change each column of the victim's rows by itself."""
    for column in table.c:
        if table.name == "alerts" and column.name in RECEIVED:
            continue
        kind = str(column.type).partition("(")[0]
        value = OTHER_VALUE.get(kind, TEXT).format(f'"{column.name}"') if kind != "BLOB" else "'y'"
        for other in (value, "NULL") if column.nullable else (value,):
            differs = f' AND "{column.name}" IS NOT NULL' if other == "NULL" else ""
            yield f'UPDATE {table.name} SET "{column.name}" = {other} WHERE {_victims(table)}{differs}'


def additions(table: sa.Table) -> Iterator[str]:
    """Statements that would add rows like the victim's, as its own or as ones of this host that belong to it, or make
    this host's rows the victim's.
    """
    columns = [column.name for column in table.c if column.name != "id"]
    names = ", ".join(f'"{name}"' for name in columns)
    like = {name: f'"{name}"' for name in columns}
    like |= {name: TEXT.format(f'"{name}"') for name in columns if name in UNIQUE}
    like |= {name: f'"{name}" + 1000' for name in columns if name in NUMBERS}
    mine = {**like, "host": f"'{STOLEN}'", "sender": f"'{STOLEN}'"}
    refers = {"run_id", "approval_id", "parent_id"} & set(columns) if not table.name.startswith("audit") else set()
    some = "".join(f" AND {name} IS NOT NULL" for name in refers)
    for values, also in ((like, ""), *([(mine, some)] if refers and "host" in columns else [])):
        copied = ", ".join(values[name] for name in columns)
        yield f"INSERT INTO {table.name} ({names}) SELECT {copied} FROM {table.name} WHERE {_victims(table)}{also}"
    if "host" in columns:
        yield f"UPDATE {table.name} SET host = '{VICTIM}' WHERE host = '{STOLEN}'"


def takings(table: sa.Table) -> Iterator[str]:
    """Statements that would take rows away, or what protects them."""
    yield f"DELETE FROM {table.name} WHERE {_victims(table)}"
    yield f"TRUNCATE {table.name} CASCADE"
    yield f"DROP TABLE {table.name} CASCADE"
    yield f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table.name} DISABLE TRIGGER ALL"
    yield f"CREATE POLICY all_of_it ON {table.name} USING (true)"


ELSEWHERE = (
    "UPDATE alembic_version SET version_num = '9999'",
    "CREATE TABLE public.mine (id int)",
    "CREATE OR REPLACE FUNCTION public.upkeeper_host() RETURNS text LANGUAGE sql AS $$ SELECT 'kitchen'::text $$",
    "INSERT INTO host_roles VALUES ('upkeeper_cellar', 'kitchen') ON CONFLICT (role) DO UPDATE SET host = 'kitchen'",
    "SET ROLE upkeeper_kitchen",
    "SET ROLE keeper",
    "SET SESSION AUTHORIZATION upkeeper_kitchen",
    "ALTER ROLE upkeeper_cellar BYPASSRLS",
    "ALTER ROLE upkeeper_kitchen PASSWORD 'x'",
    "SELECT setval('runs_id_seq', 9000000000000000000)",
    "COPY runs TO PROGRAM 'true'",
    "SELECT * FROM host_roles",
    f"CREATE TABLE {engine_schema(VICTIM)}.mine (id int)",
    f"SELECT * FROM {engine_schema(VICTIM)}.workflow_status",
    "SET row_security = off; UPDATE runs SET reason = 'mine'",
)
REFUSED = {"InsufficientPrivilege", "IntegrityConstraintViolation"}


def tried(stolen: Connection, statement: str) -> str:
    """What came of it: the rows that it changed, or the error's class."""
    try:
        with stolen.transaction():
            cursor = stolen.execute(statement.encode())
            return str(cursor.rowcount)
    except psycopg.Error as error:
        return type(error).__name__


async def test_what_a_stolen_host_can_write_is_its_own(shared: Shared, tmp_path: Path) -> None:
    async with members(shared, tmp_path) as (victim, other):
        await waiting_plan(victim, other)
    shared.sql(*(one.format(VICTIM) for one in FILLED))
    before = {table.name: rows_of(shared, table) for table in metadata.sorted_tables}
    assert {name for name, rows in before.items() if not rows} == set()
    with psycopg.connect(shared.urls[STOLEN], autocommit=True) as stolen:
        for table in metadata.sorted_tables:
            for one in (*changes(table), *additions(table), *takings(table)):
                came = tried(stolen, one)
                assert came in {"0", *REFUSED}, (one, came)
        for one in ELSEWHERE:
            assert tried(stolen, one) in REFUSED, one
        # Nor does what it puts in the way of names help.
        stolen.execute("CREATE TEMP TABLE host_roles AS SELECT session_user AS role, 'kitchen'::text AS host")
        stolen.execute("SET search_path = pg_temp, public")
        assert tried(stolen, "DELETE FROM public.pauses") == "0"
        stolen.execute("RESET search_path")
        # It cannot wait for, or hold, a row of another.
        assert stolen.execute("SELECT FROM runs WHERE host = 'kitchen' FOR UPDATE").fetchall() == []
        # Numbers that others are going to be given.
        ahead = "INSERT INTO pauses (id, host, trigger, caller, reason, since) VALUES ({}, 'cellar', 'cli', '', '', 1)"
        assert tried(stolen, ahead.format("currval('pauses_id_seq') + 1")) != "1"
        assert tried(stolen, ahead.format("nextval('pauses_id_seq') + 1")) == "InsufficientPrivilege"
        # What it takes from Alertmanager, and so may say of any alert, is an alert still.
        none = ("labels = '[7]'", "labels = '{\"a\": 1}'", "status = 'other'", "seen_at = 'NaN'", "due_at = 'Infinity'")
        for one in none:
            assert tried(stolen, f"UPDATE alerts SET {one} WHERE host = 'kitchen'") in REFUSED, one
        assert tried(stolen, "UPDATE hosts SET watchdog_at = 4e9 WHERE host = 'cellar'") == "InsufficientPrivilege"
        assert tried(stolen, "UPDATE alerts SET status = 'resolved', host = 'cellar' WHERE host = 'kitchen'") != "0"
    after = {table.name: rows_of(shared, table) for table in metadata.sorted_tables}
    for name, rows in before.items():
        same = set(rows[0]) - (RECEIVED - {"host"} if name == "alerts" else set())
        assert [_only(row, same) for row in after[name]] == [_only(row, same) for row in rows]
    database = Database(shared.urls[VICTIM], host=VICTIM)
    await database.migrate()
    assert await database.read(lambda connection: faults_of(connection, VICTIM)) == []
    await database.close()


def _only(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


async def test_roles_are_given_by_the_command_and_as_a_script(shared: Shared, tmp_path: Path) -> None:
    owner = tmp_path / "owner-url"
    owner.write_text(shared.owner + "\n")
    name = 'it\'s 100% "larder"'
    done = await invoke("state", "roles", name, "--apply", "--owner-url-file", owner, "--json")
    assert done.status == 0, done.err
    made = {one["host"]: one for one in json.loads(done.out)["items"]}
    assert {host: one["url"] is not None for host, one in made.items()} == {VICTIM: False, STOLEN: False, name: True}
    # The role is of that host alone, and a host is held to its role.
    for host, message in ((name, None), (STOLEN, "is that of the host")):
        database = Database(made[name]["url"], host=host)
        if message is None:
            await database.migrate()
            assert database.held
        else:
            with pytest.raises(ClientError, match=message):
                await database.migrate()
        await database.close()
    # As a script, a second time too.
    script = await invoke("state", "roles", "pantry")
    shared.server.psql(script.out, dbname=shared.name)
    again = await invoke("state", "roles", "pantry")
    shared.server.psql(again.out.replace(f"{role_statement('pantry')};\n", ""), dbname=shared.name)
    # Tables that are older than the program are for their owner to change.
    shared.sql("UPDATE alembic_version SET version_num = '0019'")
    database = Database(made[name]["url"], host=name)
    with pytest.raises(ClientError, match="which this host's role may not do: `upkeeper state roles --apply`"):
        await database.migrate()
    await database.close()
    shared.sql(f"UPDATE alembic_version SET version_num = '{newest_version()}'")
    gone = await invoke("state", "roles", name, "--drop", "--owner-url-file", owner)
    assert (gone.status, gone.out) == (0, f"dropped upkeeper_{name} of the host {name}\n"), gone.err
    database = Database(made[name]["url"], host=name)
    with pytest.raises(sa.exc.OperationalError, match=r"password authentication failed|does not exist"):
        await database.migrate()
    await database.close()


async def test_another_host_goes_on_with_a_rollout_and_asks_its_driver_to_end_it(
    shared: Shared, tmp_path: Path
) -> None:
    _once(shared)
    async with members(shared, tmp_path) as (victim, other):
        assert other.core.membership.presence is not None
        listening = asyncio.create_task(other.core.membership.presence.run())
        for each in (victim, other):  # nobody begins runs here: there is one DBOS in a process
            each.core.queue._taken_up = False

        async def goes_on(driver: Member, id: int) -> tuple[str, str, list[str]]:
            shared.sql(
                "UPDATE runs SET state = 'finished', outcome = 'effective', finished_at = 1 WHERE state = 'queued'"
            )
            await driver.core.driver.go_on()
            seen = await other.core.rollout(id)
            return seen["driver"], seen["state"], [one["state"] for one in seen["hosts"]]

        every = [VICTIM, STOLEN]
        begun = await victim.core.start_rollout("sweep", "attic", hosts=every, wait=0.05, alerts=False)
        id = begun["id"] or 0
        first = next(one["host"] for one in begun["hosts"] if one["wave"] == 1)
        await victim.core.driver.go_on()
        # Its driver dies; another takes it over where it was, and comes to its end.
        shared.sql("UPDATE rollouts SET driven_until = 1")
        await wait_until(lambda: goes_on(other, id), equals=(STOLEN, "done", ["well", "well"]))
        runs = shared.sql(
            f"SELECT host, via FROM runs WHERE id >= {_first_run(await other.core.rollout(id))} ORDER BY id"
        )
        second = next(one for one in every if one != first)
        assert runs == [(first, None if first == VICTIM else VICTIM), (second, None if second == STOLEN else STOLEN)]
        # One that has stopped is resumed from any host, which drives it then; another host has it end by asking that.
        stopped = (await victim.core.start_rollout("sweep", "attic", hosts=every, wait=3600.0, alerts=False))["id"] or 0
        shared.sql(f"UPDATE rollouts SET state = 'stopped', finished_at = 1 WHERE id = {stopped}")
        assert (await other.core.resume_rollout(stopped))["driver"] == STOLEN
        ended = await victim.core.cancel_rollout(stopped, "enough")
        assert (ended["state"], ended["driver"]) == ("cancelling", STOLEN)
        assert ended["reason"] == "cancelled by anna at kitchen: enough"
        await other.core.driver.go_on()
        assert (await victim.core.rollout(stopped))["state"] == "cancelled"
        listening.cancel()


def _first_run(rollout: Any) -> int:
    return min(one["run"] for one in rollout["hosts"])
