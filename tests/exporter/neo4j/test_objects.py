"""What Neo4j's answers say, also those of editions and versions that no test starts."""

from datetime import UTC, datetime
from typing import Any

import neo4j.time
import pytest

from exporter.neo4j import objects
from exporter.neo4j.driver import Neo4jRefused
from exporter.neo4j.families import MAX_INDEXES, shown_indexes, shown_name
from exporter.neo4j.objects import Database, Index, Memory
from exporter.neo4j.reader import MAX_DATABASES, Neo4jReader

TIME = neo4j.time.DateTime.from_native(datetime(2026, 9, 1, 12, 0, tzinfo=UTC))
SECONDS = datetime(2026, 9, 1, 12, 0, tzinfo=UTC).timestamp()


def test_a_database_of_a_cluster_is_online_where_some_server_serves_it() -> None:
    def row(name: str, current: str, requested: str = "online", kind: str = "standard") -> dict[str, str]:
        return {"name": name, "type": kind, "requestedStatus": requested, "currentStatus": current}

    rows = [
        row("a", "online"),
        row("a", "store copying"),
        row("b", "unknown"),
        row("b", "dirty"),
        row("c", "offline", "offline"),
        row("d", "online", kind="composite"),
    ]
    assert objects.parse_databases(rows) == [
        Database("a", online=True, requested_online=True),
        Database("b", online=False, requested_online=True),
        Database("c", online=False, requested_online=False),
        Database("d", online=True, requested_online=True, kind="composite"),
    ]


def test_indexes_of_a_server_with_and_without_reads() -> None:
    old = {"name": "i", "state": "POPULATING", "populationPercent": 12.5}
    new = {
        "name": "j",
        "state": "ONLINE",
        "populationPercent": 100.0,
        "readCount": 7,
        "lastRead": TIME,
        "trackedSince": TIME,
    }
    assert objects.parse_indexes([old, new]) == [
        Index("i", "populating", 0.125),
        Index("j", "online", 1.0, reads=7, last_read=SECONDS, tracked_since=SECONDS),
    ]


def test_transactions_without_ours() -> None:
    def row(start: str, metadata: Any, database: str = "a") -> dict[str, Any]:
        return {"database": database, "startTime": start, "metaData": metadata}

    rows = [
        row("2026-09-01T12:00:00Z", {}),
        row("2026-09-01T12:00:01.5Z", {"app": "other"}),
        row("2026-09-01T11:00:00Z", {"app": "upkeeper"}),
        row("2026-09-01T12:00:02Z", None, "b"),
        row("", {}, "b"),
    ]
    assert objects.parse_transactions(rows, {"app": "upkeeper"}) == {"a": [SECONDS, SECONDS + 1.5], "b": [SECONDS + 2]}


@pytest.mark.parametrize(
    ("command", "may"),
    [
        ("GRANT TRANSACTION MANAGEMENT (*) ON DATABASE * TO `admin`", True),
        ("GRANT SHOW TRANSACTION (*) ON DATABASE * TO `upkeeper`", True),
        ("GRANT SHOW TRANSACTIONS (*) ON DATABASES * TO `upkeeper`", True),
        ("GRANT ALL DATABASE PRIVILEGES ON DATABASE * TO `admin`", True),
        ("GRANT IMMUTABLE ALL ON DATABASE * TO `admin`", True),
        ("GRANT SHOW TRANSACTION (`anna`) ON DATABASE * TO `x`", False),
        ("GRANT SHOW TRANSACTION (*) ON DATABASE `sales` TO `x`", False),
        ("GRANT TERMINATE TRANSACTION (*) ON DATABASE * TO `x`", False),
        ("DENY SHOW TRANSACTION (*) ON DATABASE * TO `x`", False),
        ("GRANT ALL ON DBMS TO `x`", False),
    ],
)
def test_who_sees_the_transactions_of_others(command: str, may: bool) -> None:
    assert objects.may_show_transactions([{"command": command}]) is may


@pytest.mark.parametrize(
    ("value", "size"),
    [("512.00MiB", 512 * 1024**2), ("1.50GiB", 1536 * 1024**2), ("0B", 0), (None, None), ("auto", None)],
)
def test_a_size_as_a_setting(value: str | None, size: int | None) -> None:
    assert objects.parse_size([{"value": value}]) == size


def test_the_version_is_the_kernels() -> None:
    cypher = {"name": "Cypher", "versions": ["5", "25"], "edition": ""}
    kernel = {"name": "Neo4j Kernel", "versions": ["2026.09.0"], "edition": "enterprise"}
    assert objects.parse_components([cypher, kernel]) == ("2026.09.0", "enterprise")
    assert objects.parse_components([cypher]) == (None, None)


def bean(name: str, value: object) -> dict[str, Any]:
    attribute = {"description": "Value", "value": value}
    return {"name": f"neo4j.metrics:name={name},type=gauges", "attributes": {"Value": attribute}}


def test_enterprises_own_metrics() -> None:
    stores = [
        bean("neo4j.database.sales.eu.store.size.total", 5000),
        bean("neo4j.database.sales.eu.store.size.database", 3000),
        bean("neo4j.database.sales.eu.store.size.available_reserved", 10),
        bean("neo4j.database.hr.store.size.database", 700.0),
    ]
    assert objects.parse_store_beans(stores) == {"sales.eu": (3000, 2000), "hr": (700, None)}
    cache = [bean("neo4j.dbms.page_cache.hit_ratio", 0.98), bean("neo4j.dbms.page_cache.usage_ratio", float("nan"))]
    assert objects.parse_page_cache_beans(cache) == (0.98, None)


class Answers:
    """Answers as a server would. Values: rows, or the reason of a refusal."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, database: str, query: str) -> list[dict[str, Any]]:
        self.asked.append((database, query))
        for beginning, answer in self.answers.items():
            if query.startswith(beginning):
                if isinstance(answer, str):
                    raise Neo4jRefused(answer)
                return list(answer)
        raise Neo4jRefused("not known")


def database_row(name: str) -> dict[str, str]:
    return {"name": name, "type": "standard", "requestedStatus": "online", "currentStatus": "online"}


KERNEL = {"name": "Neo4j Kernel", "versions": ["5.26.0"]}
ENTERPRISE = {
    "SHOW DATABASES": [database_row("neo4j")],
    "CALL dbms.components": [{**KERNEL, "edition": "enterprise"}],
    "SHOW PROCEDURES": [],
    "SHOW USER PRIVILEGES": [],
    "SHOW SETTINGS": "not allowed",
    "SHOW TRANSACTIONS": [],
    "SHOW INDEXES": "not allowed",
    "MATCH (n)": [{"count": 5}],
    "MATCH ()-[r]->()": [{"count": 3}],
}


async def test_what_is_not_allowed_is_left_out_and_said() -> None:
    answers = Answers(ENTERPRISE)
    reader = Neo4jReader(answers, None)  # type: ignore[arg-type]
    server = await reader.read()
    assert server.databases == [Database("neo4j", True, True, nodes=5, relationships=3)]
    assert server.memory == Memory()
    assert reader.refused == {"page cache setting": "not allowed", "indexes of neo4j": "not allowed"}


async def test_transactions_of_others_count_only_for_who_sees_them() -> None:
    granted = [{"command": "GRANT SHOW TRANSACTION (*) ON DATABASE * TO `r`"}]
    reader = Neo4jReader(Answers(ENTERPRISE | {"SHOW USER PRIVILEGES": granted}), None)  # type: ignore[arg-type]
    assert (await reader.read()).databases[0].transactions == 0


async def test_a_privilege_counts_from_when_it_is_given_until_it_is_taken_away() -> None:
    answers = Answers(ENTERPRISE | {"SHOW SETTINGS": []})
    reader = Neo4jReader(answers, None)  # type: ignore[arg-type]
    for granted, count in ((False, None), (True, 0), (False, None)):
        command = {"command": "GRANT SHOW TRANSACTION (*) ON DATABASE * TO `r`"}
        answers.answers["SHOW USER PRIVILEGES"] = [command] if granted else []
        assert (await reader.read()).databases[0].transactions == count


@pytest.mark.parametrize("chosen", [None, ["neo4j", "second"]])
async def test_a_setting_is_asked_anew_when_the_server_was_away(chosen: list[str] | None) -> None:
    answers = Answers(ENTERPRISE | {"SHOW SETTINGS": [{"value": "1.00GiB"}], "SHOW INDEXES": []})
    reader = Neo4jReader(answers, chosen)  # type: ignore[arg-type]
    assert (await reader.read()).memory.page_cache_max == 1024**3
    answers.answers |= {"SHOW DATABASES": "the server is starting", "SHOW SETTINGS": [{"value": "2.00GiB"}]}
    assert (await reader.read()).databases == [], "which says of none that it is offline"
    assert reader.refused["databases"] == "the server is starting"
    answers.answers["SHOW DATABASES"] = [database_row("neo4j")]
    assert (await reader.read()).memory.page_cache_max == 2 * 1024**3


async def test_what_does_not_change_is_asked_once_until_the_server_is_another() -> None:
    answers = Answers(ENTERPRISE | {"SHOW SETTINGS": [{"value": "1.00GiB"}], "SHOW INDEXES": []})
    reader = Neo4jReader(answers, None)  # type: ignore[arg-type]
    for _ in range(3):
        assert (await reader.read()).memory.page_cache_max == 1024**3
    assert sum(query.startswith("SHOW SETTINGS") for _, query in answers.asked) == 1
    answers.answers["CALL dbms.components"] = [{**KERNEL, "versions": ["5.27.0"], "edition": "enterprise"}]
    answers.answers["SHOW SETTINGS"] = [{"value": "2.00GiB"}]
    assert (await reader.read()).memory.page_cache_max == 2 * 1024**3


async def test_neither_the_system_database_nor_a_composite_is_looked_into() -> None:
    rows = [database_row("system") | {"type": "system"}, database_row("all") | {"type": "composite"}]
    answers = Answers(ENTERPRISE | {"SHOW DATABASES": rows})
    await Neo4jReader(answers, None).read()  # type: ignore[arg-type]
    assert {database for database, _ in answers.asked} == {"system"}


async def test_no_more_databases_than_agreed() -> None:
    rows = [database_row(f"db{number}") for number in range(MAX_DATABASES + 20)]
    server = await Neo4jReader(Answers(ENTERPRISE | {"SHOW DATABASES": rows}), None).read()  # type: ignore[arg-type]
    assert len(server.databases) == MAX_DATABASES


def test_indexes_that_are_not_online_are_shown_first_and_no_more_than_agreed() -> None:
    indexes = [Index(f"i{number:04}", "online") for number in range(2 * MAX_INDEXES)]
    shown = shown_indexes([*indexes, Index("zz", "failed")])
    assert len(shown) == MAX_INDEXES
    assert [index.name for index in shown[:2]] == ["zz", "i0000"]


def test_a_long_name_is_shortened_and_stays_one_of_its_kind() -> None:
    first, second = shown_name("x" * 65_000 + "1"), shown_name("x" * 65_000 + "2")
    assert first != second
    assert len(first) < 220
    assert shown_name("x" * 200) == "x" * 200
