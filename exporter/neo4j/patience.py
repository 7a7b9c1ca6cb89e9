"""How long one Neo4j server is given for each query, and how often a slow one is asked.

A server that was just started takes seconds for what it later answers in milliseconds, and a query that is cut off
begins anew. So each query has time enough, and what took long is not asked again at once: queries take up a small part
of the server's time, however slow it is.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol

from exporter.neo4j.driver import Neo4jRefused, Neo4jTooSlow

FIRST_LIMIT = 30.0
"""Seconds that a query may take; twice as long after each time that it took longer, up to LONGEST_LIMIT."""

LONGEST_LIMIT = 120.0

BRISK = 1.0
"""Seconds: a query that takes no longer is asked each time."""

REST = 10
"""A slower one is asked again after this many times the seconds that it took; its answer stands meanwhile."""

Rows = Sequence[dict[str, Any]]


class AskWithin(Protocol):
    """As exporter.neo4j.driver.Neo4jDriver.rows."""

    async def __call__(self, database: str, query: LiteralString, seconds: float) -> Rows: ...


@dataclass(slots=True)
class _Slow:
    answer: Rows | Neo4jRefused
    due: float
    """When it is asked again, on the monotonic clock."""
    limit: float
    """Seconds that it has then."""


class Patience:
    """Asks a server through ``ask``.

    monotonic: seconds on a clock that never jumps.
    """

    def __init__(self, ask: AskWithin, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._slow: dict[tuple[str, str], _Slow] = {}

    async def rows(self, database: str, query: LiteralString) -> Rows:
        """What the query gives, or gave when it was last asked. Raises Neo4jUnavailable, Neo4jRefused."""
        key = database, query
        slow = self._slow.get(key)
        began = self._monotonic()
        if slow is None or began >= slow.due:
            limit = FIRST_LIMIT if slow is None else slow.limit
            answer, following = await self._answer(database, query, limit)
            took = self._monotonic() - began
            slow = _Slow(answer, began + (1 + REST) * took, following)
            if took > BRISK:
                self._slow[key] = slow
            else:
                self._slow.pop(key, None)
        if isinstance(slow.answer, Neo4jRefused):
            raise slow.answer
        return slow.answer

    async def _answer(self, database: str, query: LiteralString, limit: float) -> tuple[Rows | Neo4jRefused, float]:
        """What the server answers, and the limit of the next time. Raises Neo4jUnavailable."""
        try:
            return await self._ask(database, query, limit), limit
        except Neo4jTooSlow:
            following = min(2 * limit, LONGEST_LIMIT)
            reason = (
                f"took longer than its limit of {limit:g} s; retried after {REST * limit / 60:g} "
                f"minutes, with {following:g} s"
            )
            return Neo4jRefused(reason), following
        except Neo4jRefused as error:
            return error, limit

    def forget(self) -> None:
        """Forgets what was slow: the server was away, and may be another."""
        self._slow.clear()
