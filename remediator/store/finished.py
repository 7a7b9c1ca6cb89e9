"""Figures of all finished runs, of which only those are counted that have finished since they were counted last."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import sqlalchemy as sa

from remediator.model.level import Track
from remediator.store import holds, levels
from remediator.store.tables import runs

T = TypeVar("T")

_MOST = 500
"""More runs than these are counted with all others: so many ids are no shorter way to them."""
_UNFINISHED = sa.select(runs.c.id).where(sa.text("runs.state != 'finished'"))
_ALL = sa.select(
    # Each by itself, as an index has it; together they are a look at every row.
    sa.select(sa.func.max(runs.c.id)).scalar_subquery(),
    sa.select(sa.func.count()).select_from(runs).scalar_subquery(),
)
_NEWER = sa.select(runs.c.id).where(runs.c.id > sa.bindparam("newest")).limit(_MOST + 1)


@dataclass(frozen=True)
class Seen:
    """Which runs there were in a view of the data: the newest id, how many, and those that were not finished."""

    newest: int
    total: int
    unfinished: frozenset[int]


def look(connection: sa.Connection, before: Seen | None) -> tuple[Seen, frozenset[int] | None]:
    """What there is, and the runs that have finished since ``before``; None where all are to be counted anew.

    Ids are never given twice, and a run is finished once and then stays what it is. So what has finished since is among
    those that were unfinished then and those that are newer. Where any of the runs of then is gone, or one is
    unfinished that was not, this is no later view of the same.
    """
    newest, total = connection.execute(_ALL).one()
    seen = Seen(newest or 0, total, frozenset(connection.scalars(_UNFINISHED)))
    if before is None:
        return seen, None
    newer = frozenset(connection.scalars(_NEWER, {"newest": before.newest}))
    same = seen.total - len(newer) == before.total and seen.unfinished - newer <= before.unfinished
    ended = (before.unfinished | newer) - seen.unfinished
    return seen, ended if same and max(len(newer), len(ended)) <= _MOST else None


class OfFinishedRuns(Generic[T]):
    """What ``count`` makes of the finished runs of the record, whoever writes it.

    count: of the runs of these ids, or of all. add: what both make together.
    """

    def __init__(self, count: Callable[[sa.Connection, Collection[int] | None], T], add: Callable[[T, T], T]) -> None:
        self._count = count
        self._add = add
        self._last: tuple[Seen, T] | None = None

    def __call__(self, connection: sa.Connection) -> T:
        """As of the connection's view of the data. May be called in several threads."""
        last = self._last
        seen, ended = look(connection, last[0] if last is not None else None)
        if last is None or ended is None:
            found = self._count(connection, None)
        elif ended:
            found = self._add(last[1], self._count(connection, ended))
        else:
            found = last[1]
        self._last = (seen, found)
        return found


_CALLERS = sa.select(runs.c.caller).where(runs.c.trigger == "alert").distinct()


class Tracks:
    """What the runs of each remedy of a host have shown since its level was last changed, as levels.track tells it."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._last: tuple[Seen, Mapping[str, tuple[object, Track]]] | None = None

    def __call__(self, connection: sa.Connection, since: Sequence[tuple[str, float]]) -> Sequence[Track]:
        """Of each of these remedies, from then on (Unix seconds). May be called in several threads."""
        last = self._last
        seen, ended = look(connection, last[0] if last is not None else None)
        kept = dict(last[1]) if last is not None and ended is not None else {}
        if ended:
            for remedy in connection.scalars(_CALLERS.where(runs.c.id.in_(ended))):
                kept.pop(remedy, None)
        # A breaker that a person closes changes what the runs before count for.
        closed = tuple(sorted(holds.breakers_closed(connection).items()))
        for remedy, start in since:
            by = (start, closed)
            if remedy not in kept or kept[remedy][0] != by:
                kept[remedy] = (by, levels.track(connection, self._host, remedy, start))
        self._last = (seen, kept)
        return [kept[remedy][1] for remedy, _ in since]
