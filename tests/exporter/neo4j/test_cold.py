"""The neo4j collector and servers that take long to answer: one that was just started, and one with much to count."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, LiteralString

import pytest
from structlog.testing import capture_logs

from exporter.neo4j import patience, reader
from exporter.neo4j.driver import Neo4jDriver, Neo4jTooSlow
from tests.exporter.neo4j.figures import collector_of, figures, settings_of
from tests.helpers import LONG, long_form, rounds, wait_until
from tests.neo4j_server.jars import CALENDAR, FIVE
from tests.neo4j_server.plugin import empty
from tests.neo4j_server.server import Neo4jServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture(params=[FIVE, CALENDAR] if long_form() else [FIVE], ids=lambda release: release.version)
def cold(request: pytest.FixtureRequest) -> Iterator[Neo4jServer]:
    """A server of the test's own, started a second time: it lets its user in, and has planned no query yet."""
    server = Neo4jServer(Path(mkdtemp(prefix="neo4j-")), request.param)
    try:
        server.start()
        server.terminate()
        server.start(cold=True)
        yield server
    finally:
        server.close()


@LONG
@pytest.mark.torture
async def test_a_cold_server_is_up_from_the_first_round_on(cold: Neo4jServer) -> None:
    """With a deadline so short that no cold query is answered within it, nor within a quarter of it."""
    collector = collector_of(settings_of(cold), deadline=2)
    began = time.monotonic()
    seen: list[tuple[float, float | None, float | None]] = []

    async def online() -> bool:
        found = await figures(collector)
        known = found.value("database_online", database="neo4j")
        seen.append((round(time.monotonic() - began, 1), found.value("up"), known))
        return known == 1

    with capture_logs() as lines:
        await wait_until(online, timeout=120)
    await collector.close()
    assert [up for _, up, _ in seen] == [1] * len(seen), seen
    assert [line["event"] for line in lines] in ([], ["neo4j figures missing", "neo4j figures there again"]), lines
    assert all("still working" in line["reason"] for line in lines[:1]), lines
    print(f"known after {seen[-1][0]} s and {len(seen)} rounds")


ROWS = rounds("SLOW_ROWS", 15_000_000, 60_000_000)
SLOW = f"UNWIND range(1, {ROWS}) AS i WITH i WHERE i % 7 = 8 RETURN count(i) AS count"
"""It takes seconds, many on a busy machine, and gives 0 as the count of an empty database is."""


async def test_a_slow_query_is_asked_once_and_rests_afterwards(
    neo4j_five: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(neo4j_five)
    asked: list[str] = []
    real = Neo4jDriver.rows

    async def counting(driver: Neo4jDriver, database: str, query: LiteralString, seconds: float) -> Any:
        asked.append(query)
        return await real(driver, database, query, seconds)

    monkeypatch.setattr(Neo4jDriver, "rows", counting)
    monkeypatch.setattr(reader, "NODES", SLOW)
    monkeypatch.setattr(patience, "FIRST_LIMIT", 300.0)
    collector = collector_of(settings_of(neo4j_five))

    ups: set[float | None] = set()

    async def known() -> bool:
        found = await figures(collector)
        ups.add(found.value("up"))
        return found.value("nodes", database="neo4j") == 0

    await wait_until(known, timeout=290)
    for _ in range(5):
        assert await known(), "its answer stands"
    assert ups == {1}
    assert asked.count(SLOW) == 1
    assert asked.count(reader.RELATIONSHIPS) > 1
    await collector.close()


async def test_a_query_that_takes_longer_than_it_may_is_ended_by_the_server(neo4j_server: Neo4jServer) -> None:
    driver = Neo4jDriver(settings_of(neo4j_server), 10.0)
    with pytest.raises(Neo4jTooSlow, match="TransactionTimedOutClientConfiguration"):
        await driver.rows("neo4j", "UNWIND range(1, 10000000000) AS i RETURN count(i) AS count", 0.5)
    assert list(await driver.rows("neo4j", "RETURN 1 AS one", 30.0)) == [{"one": 1}]
    await driver.discard()
