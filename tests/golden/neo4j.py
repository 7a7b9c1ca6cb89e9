"""A Neo4j 5.26 Community server, an Enterprise one, and one that is down, from rows as the servers gave them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client.core import Metric

from exporter.neo4j.driver import Neo4jRefused
from exporter.neo4j.families import Seen
from exporter.neo4j.families import families as families_of
from exporter.neo4j.reader import Neo4jReader

SINCE = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
"""When the exporter saw the indexes that are not online for the first time."""


class _Time:
    """A time as the driver hands it out."""

    def __init__(self, text: str) -> None:
        self._text = text

    def to_native(self) -> datetime:
        return datetime.fromisoformat(self._text)


def _database(name: str, kind: str = "standard", status: str = "online") -> dict[str, str]:
    return {"name": name, "type": kind, "requestedStatus": "online", "currentStatus": status}


def _index(name: str, state: str = "ONLINE", **columns: Any) -> dict[str, Any]:
    population = {"ONLINE": 100.0, "POPULATING": 37.5}.get(state, 0.0)
    return {"name": name, "state": state, "populationPercent": population, "failureMessage": "", **columns}


def _heap(used: int, limit: int) -> dict[str, Any]:
    usage = {"init": used, "committed": used, "max": limit, "used": used}
    value = {"description": "java.lang.management.MemoryUsage", "properties": usage}
    return {"name": "java.lang:type=Memory", "attributes": {"HeapMemoryUsage": {"value": value}}}


def _gauge(name: str, value: float) -> dict[str, Any]:
    return {"name": f"neo4j.metrics:name={name},type=gauges", "attributes": {"Value": {"value": value}}}


_COMMUNITY = {
    "SHOW DATABASES": [_database("neo4j"), _database("system", "system")],
    "CALL dbms.components": [{"name": "Neo4j Kernel", "versions": ["5.26.19"], "edition": "community"}],
    "SHOW PROCEDURES": [{"name": "dbms.queryJmx"}],
    "SHOW SETTINGS": [{"value": "512.00MiB"}],
    "SHOW TRANSACTIONS": [
        {"database": "system", "startTime": "2026-09-01T12:00:00Z", "metaData": {"app": "upkeeper"}},
        {"database": "neo4j", "startTime": "2026-09-01T11:58:30.25Z", "metaData": {}},
        {"database": "neo4j", "startTime": "2026-09-01T11:59:59Z", "metaData": {}},
    ],
    "CALL dbms.queryJmx('java.lang": [_heap(157286400, 1073741824)],
    "CALL dbms.queryJmx('neo4j.metrics": [],
    "SHOW INDEXES": [
        _index(
            "entity_name",
            readCount=4711,
            lastRead=_Time("2026-09-01T11:59:58.5+00:00"),
            trackedSince=_Time("2026-08-01T06:30:00+00:00"),
        ),
        _index("index_343aff4e", readCount=0, lastRead=None, trackedSince=_Time("2026-08-01T06:00:00+00:00")),
        _index('Ünï "code" `\\', "FAILED", readCount=None, lastRead=None, trackedSince=None),
        _index("embedding", "POPULATING", readCount=None, lastRead=None, trackedSince=None),
    ],
    "MATCH (n)": [{"count": 120345}],
    "MATCH ()-[r]->()": [{"count": 678901}],
}

_ENTERPRISE = _COMMUNITY | {
    "SHOW DATABASES": [
        _database("sales"),
        _database("archive", status="offline"),
        _database("system", "system"),
    ],
    "CALL dbms.components": [{"name": "Neo4j Kernel", "versions": ["2026.09.0"], "edition": "enterprise"}],
    "SHOW USER PRIVILEGES": [],
    "SHOW INDEXES": "Permission has not been granted for user 'upkeeper'",
    "CALL dbms.queryJmx('neo4j.metrics:name=*.store": [
        _gauge("neo4j.database.sales.store.size.total", 1342177280),
        _gauge("neo4j.database.sales.store.size.database", 1073741824),
    ],
    "CALL dbms.queryJmx('neo4j.metrics:name=*.page_cache": [
        _gauge("neo4j.dbms.page_cache.hit_ratio", 0.9875),
        _gauge("neo4j.dbms.page_cache.usage_ratio", 0.625),
    ],
}


class _Answers:
    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = sorted(answers.items(), key=lambda item: -len(item[0]))

    async def __call__(self, database: str, query: str) -> Sequence[dict[str, Any]]:
        answer: Any = next(answer for beginning, answer in self._answers if query.startswith(beginning))
        if isinstance(answer, str):
            raise Neo4jRefused(answer)
        rows: Sequence[dict[str, Any]] = answer
        return rows


async def families() -> Sequence[Metric]:
    """Every family of the collector."""
    since = {("neo4j", 'Ünï "code" `\\'): SINCE.timestamp(), ("neo4j", "embedding"): SINCE.timestamp() + 90}
    community = await Neo4jReader(_Answers(_COMMUNITY), None).read()
    enterprise = await Neo4jReader(_Answers(_ENTERPRISE), ["sales", "archive", "missing"]).read()
    return families_of(
        [
            Seen("graph", 3600, community, since),
            Seen("cluster", 7200, enterprise, {}),
            Seen("away", 3600, None, {}),
        ]
    )
