"""Which tables and indexes are chosen, without a server."""

import random
import time

import pytest

from exporter.inventory.postgres import PostgresLimits
from exporter.inventory.postgres_maintenance import PostgresMaintenance as Policy
from remediator.tasks.postgres_maintenance.blockers import Beside, Blocker
from remediator.tasks.postgres_maintenance.choose import Wants, divide
from remediator.tasks.postgres_maintenance.indexes import Index, Space, choose_indexes, estimated_air
from remediator.tasks.postgres_maintenance.tables import ServerFacts, Table
from remediator.tasks.postgres_maintenance.work import vacuum_statement

NOW = 1_790_000_000.0
DAY = 86400.0
FACTS = ServerFacts(150004, False, True, 200_000_000, 400_000_000, 8192)
WANTS = Wants(Policy(), PostgresLimits(), FACTS)


def table(name: str = "t", **more: object) -> Table:
    given = {
        "oid": 1, "schema": "public", "name": name, "partitioned": False, "bytes": 8192, "rows": 100.0, "live": 100,
        "dead": 0, "changed": 0, "last_vacuum": NOW, "last_analyze": NOW, "vacuums": 0, "analyzes": 0, "xid_age": 1,
        "multixact_age": 1, "permitted": True, "worked_on_by": None,
    }  # fmt: skip
    return Table(**(given | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "kind", "reason"),
    [
        ({}, None, ""),
        ({"live": 8999, "dead": 999}, None, ""),
        ({"live": 9000, "dead": 1000}, None, ""),
        ({"live": 8999, "dead": 1001}, "vacuum", "1001 rows of 10000 (10%) dead"),
        ({"live": 20_000, "dead": 9999}, "vacuum", "9999 rows of 29999 (33%) dead"),
        ({"xid_age": 149_999_999}, None, ""),
        ({"xid_age": 150_000_000}, "freeze", "its oldest row is at 75% of the age at which the server must freeze it"),
        ({"multixact_age": 300_000_000}, "freeze", "its oldest row is at 75% of"),
        ({"last_analyze": None}, "analyze", "never analyzed"),
        ({"last_analyze": None, "bytes": 0, "live": 0}, None, ""),
        ({"last_analyze": None, "schema": "pg_catalog"}, None, ""),
        ({"last_analyze": NOW - 31 * DAY, "changed": 1}, "analyze", "not analyzed for 31 days"),
        ({"last_analyze": NOW - 31 * DAY}, None, ""),
        ({"last_analyze": None, "partitioned": True, "bytes": 0, "live": 0, "xid_age": 0}, "analyze", "never analyzed"),
        ({"last_analyze": NOW - 31 * DAY, "partitioned": True}, "analyze", "not analyzed for 31 days"),
        ({"live": 0, "dead": 2000, "xid_age": 2**31 - 1, "partitioned": True}, None, ""),
    ],
)
def test_what_a_table_needs(more: dict[str, object], kind: str | None, reason: str) -> None:
    need = WANTS.of("d", table(**more), NOW)
    assert (need and need.kind) == kind
    assert reason in (need.reason if need else "")


def test_what_an_alert_fires_on_is_vacuumed_however_lenient_the_task_is() -> None:
    wants = Wants(Policy(dead_tuples_ratio=0.9), PostgresLimits(dead_tuples_ratio=0.2, dead_tuples_min=10), FACTS)
    need = wants.of("d", table(live=70, dead=30), NOW)
    assert need is not None
    assert need.kind == "vacuum"
    assert wants.of("d", table(live=90, dead=10), NOW) is None


def test_the_worst_come_first() -> None:
    tables = [
        table("stale", oid=1, last_analyze=NOW - 40 * DAY, changed=5),
        table("never", oid=2, last_analyze=None),
        table("old", oid=3, xid_age=160_000_000),
        table("dead", oid=4, live=1000, dead=5000),
        table("deader", oid=5, live=1000, dead=50_000),
        table("urgent", oid=6, xid_age=210_000_000, live=1000, dead=2000),
    ]
    chosen = WANTS.choose("d", reversed(tables), NOW)
    assert [need.table.name for need in chosen] == ["urgent", "deader", "dead", "old", "never", "stale"]


def test_what_cannot_be_done_is_said_and_not_planned() -> None:
    needs = WANTS.choose(
        "d",
        [
            table("busy", oid=1, live=0, dead=3000, worked_on_by=77),
            table("foreign", oid=2, live=0, dead=4000, permitted=False),
            table("mine", oid=3, live=0, dead=2000),
        ],
        NOW,
    )
    doable, notes = divide(needs)
    assert [need.table.name for need in doable] == ["mine"]
    assert notes[0] == "d: public.busy is being vacuumed already, by process 77."
    assert "1 table needs maintenance that the role may not do, the worst of them public.foreign" in notes[1]


def test_ten_thousand_tables_take_less_than_a_second() -> None:
    """And none is chosen twice, none without a reason, each that is over a limit."""
    rng = random.Random(12)
    tables = [
        table(
            f"t{number}", oid=number, live=rng.randrange(10**6), dead=rng.choice([0, 10, 10**4, 10**6]),
            xid_age=rng.randrange(3 * 10**8), last_analyze=rng.choice([None, NOW, NOW - 50 * DAY]),
            changed=rng.randrange(3), partitioned=rng.random() < 0.1,
        )
        for number in range(10_000)
    ]  # fmt: skip
    began = time.process_time()
    chosen = WANTS.choose("d", tables, NOW)
    assert time.process_time() - began < 1
    assert len({need.table.oid for need in chosen}) == len(chosen) > 1000
    assert all(need.reason and (need.vacuum or need.analyze) for need in chosen)
    assert [need.rank for need in chosen] == sorted(need.rank for need in chosen)
    left = {each.oid: each for each in tables} | {}
    for need in chosen:
        del left[need.table.oid]
    assert not any(WANTS.has_dead(each) and not each.partitioned for each in left.values())


def index(name: str = "i", **more: object) -> Index:
    given = {
        "oid": 1, "table_oid": 2, "schema": "public", "name": name, "table": "public.t", "valid": True,
        "bytes": 200 * 2**20, "rows": 1000.0, "width": 8.0, "btree": True, "exclusion": False, "duplicated": False,
        "owned": True, "permitted": True, "default_space": True, "under_way": False,
    }  # fmt: skip
    return Index(**(given | more))  # type: ignore[arg-type]


ROOM = Space(free=2**40, size=2**41)


@pytest.mark.parametrize(
    ("name", "more", "room", "kind", "note"),
    [
        ("i", {}, ROOM, "reindex", ""),
        ("i", {"rows": 10**7}, ROOM, None, ""),
        ("i", {"width": None}, ROOM, None, ""),
        ("i", {"btree": False}, ROOM, None, ""),
        ("i", {"under_way": True, "valid": False}, ROOM, None, ""),
        ("i", {"valid": False}, ROOM, "reindex", ""),
        ("i", {}, None, None, "data_directory is not set"),
        ("i", {}, Space(400 * 2**20, 2**20), None, "it needs 400 MiB of free space, and there is 400 MiB"),
        ("i", {"default_space": False}, ROOM, None, "a tablespace of its own"),
        ("i", {"exclusion": True}, ROOM, None, "exclusion constraints"),
        ("i", {"schema": "pg_catalog"}, ROOM, None, "catalogs only with a lock"),
        ("i", {"permitted": False}, ROOM, None, "the role may not"),
        ("i_ccnew", {"valid": False}, None, "drop-index", ""),
        ("i_ccold12", {"valid": False}, None, "drop-index", ""),
        ("i_ccnew1", {"duplicated": True}, None, "drop-index", ""),
        ("i_ccnew", {"rows": 10**7}, None, None, ""),
        ("i_ccnewer", {"duplicated": True, "rows": 10**7}, None, None, ""),
        ("i", {"duplicated": True, "rows": 10**7}, None, None, ""),
        ("i_ccnew", {"valid": False, "under_way": True}, None, None, ""),
        ("i_ccnew", {"valid": False, "owned": False}, None, None, "only the owner of public.t can drop it."),
        ("i_ccnew", {"duplicated": True, "schema": "pg_toast"}, None, None, "allow_system_table_mods"),
    ],
)
def test_what_becomes_of_an_index(
    name: str, more: dict[str, object], room: Space | None, kind: str | None, note: str
) -> None:
    chosen, notes = choose_indexes("d", [index(name, **more)], Policy(), 8192, room)
    assert [one.kind for one in chosen] == ([kind] if kind else [])
    assert bool(notes) == bool(note)
    assert note in "".join(notes)


def test_the_air_in_an_index_is_rather_too_small() -> None:
    full = index(bytes=22_487_040, rows=1_000_000.0, width=8.0)
    assert estimated_air(full, 8192) <= 0.01 * full.bytes


def test_names_are_quoted() -> None:
    statement = vacuum_statement(table('a"; DROP TABLE x; --', schema='s"'), vacuum=True, freeze=True, analyze=True)
    assert statement.as_string() == (
        'VACUUM (SKIP_LOCKED, TRUNCATE false, PARALLEL 0, FREEZE, ANALYZE) "s""' + '"."a""; DROP TABLE x; --"'
    )


def test_a_blocker_says_who_and_since_when() -> None:
    told = str(Blocker("process 7", "app", "idle in transaction", 1_790_000_000.0, "n8n"))
    assert told == "process 7 (user app, n8n, idle in transaction, since 2026-09-21T14:13:20Z)"
    assert str(Blocker("the replication slot s", None, "inactive", None, None)) == "the replication slot s (inactive)"
    assert str(Beside(False, 0, None, None, None, None, None).blocker) == "a prepared transaction"
