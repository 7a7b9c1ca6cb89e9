"""How long queries are given, and how often slow ones are asked. The server is a stand-in with a clock of its own."""

from collections.abc import Sequence
from typing import Any, LiteralString

import pytest

from exporter.neo4j.driver import Neo4jRefused, Neo4jTooSlow, Neo4jUnavailable
from exporter.neo4j.patience import BRISK, FIRST_LIMIT, LONGEST_LIMIT, REST, Patience
from tests.exporter.fakes import FakeClock

ROWS = [{"one": 1}]


class Slow:
    """Stands in for a server that takes so long, and keeps the time limit of each query."""

    def __init__(self, clock: FakeClock, takes: float = 0.0) -> None:
        self.takes = takes
        self.asked: list[float] = []
        self.raises: Exception | None = None
        self._clock = clock

    async def rows(self, database: str, query: LiteralString, seconds: float) -> Sequence[dict[str, Any]]:
        self.asked.append(seconds)
        self._clock.now += min(self.takes, seconds)
        if self.takes > seconds:
            raise Neo4jTooSlow("the words of the server")
        if self.raises is not None:
            raise self.raises
        return ROWS


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> Slow:
    return Slow(clock)


@pytest.fixture
def patience(server: Slow, clock: FakeClock) -> Patience:
    return Patience(server.rows, clock)


async def test_a_brisk_query_is_asked_each_time(patience: Patience, server: Slow) -> None:
    server.takes = BRISK
    for _ in range(3):
        assert await patience.rows("neo4j", "Q") == ROWS
    assert server.asked == [FIRST_LIMIT] * 3


async def test_a_slow_answer_stands_for_a_while(patience: Patience, server: Slow, clock: FakeClock) -> None:
    server.takes = 5.0
    assert await patience.rows("system", "SHOW DATABASES") == ROWS
    server.takes = 0.01
    clock.now += REST * 5.0 - 1
    assert await patience.rows("system", "SHOW DATABASES") == ROWS
    assert await patience.rows("other", "SHOW DATABASES") == ROWS
    assert len(server.asked) == 2, "only the one of that database rests"
    clock.now += 1
    for _ in range(3):
        assert await patience.rows("system", "SHOW DATABASES") == ROWS
    assert len(server.asked) == 5, "and once it is brisk it is asked each time again"


async def test_the_limit_grows_and_what_was_too_slow_rests(patience: Patience, server: Slow, clock: FakeClock) -> None:
    server.takes = 1000.0
    began, reasons = clock.now, []
    while clock.now < began + 6 * 3600:
        with pytest.raises(Neo4jRefused) as caught:
            await patience.rows("neo4j", "Q")
        assert not isinstance(caught.value, Neo4jTooSlow)
        reasons.append(str(caught.value))
        clock.now += 30
    assert server.asked[:4] == [FIRST_LIMIT, 2 * FIRST_LIMIT, LONGEST_LIMIT, LONGEST_LIMIT]
    assert sum(server.asked) < 6 * 3600 / REST, "a tenth of the server's time at most"
    assert reasons[0] == ("took longer than its limit of 30 s; retried after 5 minutes, with 60 s")
    assert len(set(reasons)) == 3, "the log changes with the limit alone"
    clock.now += 3600
    server.takes = 45.0
    assert await patience.rows("neo4j", "Q") == ROWS


async def test_a_refusal_that_took_long_stands_too(patience: Patience, server: Slow, clock: FakeClock) -> None:
    """As the server's own dbms.transaction.timeout makes it: its words are kept, since the limit is not ours."""
    server.takes, server.raises = 10.0, Neo4jRefused("dbms.transaction.timeout")
    for _ in range(3):
        with pytest.raises(Neo4jRefused, match=r"^dbms.transaction.timeout$"):
            await patience.rows("neo4j", "Q")
    assert len(server.asked) == 1
    server.takes = 0.0
    clock.now += REST * 10
    for _ in range(2):
        with pytest.raises(Neo4jRefused):
            await patience.rows("neo4j", "Q")
    assert len(server.asked) == 3


async def test_a_server_that_was_away_is_asked_at_once(patience: Patience, server: Slow) -> None:
    server.takes = 20.0
    await patience.rows("neo4j", "Q")
    server.raises = Neo4jUnavailable("gone")
    patience.forget()
    with pytest.raises(Neo4jUnavailable):
        await patience.rows("neo4j", "Q")
    server.raises = None
    assert await patience.rows("neo4j", "Q") == ROWS
    assert len(server.asked) == 3
