"""Figures of all finished runs, counted again only where there are other finished runs than before."""

from collections.abc import Callable
from typing import Generic, TypeVar

import sqlalchemy as sa

from remediator.store.tables import runs

T = TypeVar("T")

_MARK = sa.select(
    # Each by itself, as an index has it; together they are a look at every row.
    sa.select(sa.func.max(runs.c.id)).scalar_subquery(),
    sa.select(sa.func.count()).select_from(runs).scalar_subquery(),
    sa.select(sa.func.max(runs.c.finished_at)).scalar_subquery(),
    sa.select(sa.func.count()).select_from(runs).where(sa.text("runs.state != 'finished'")).scalar_subquery(),
)


class OfFinishedRuns(Generic[T]):
    """What ``count`` makes of the finished runs of the record, whoever writes it.

    Whether they are the same is told by the newest id, the number of runs, when the last one ended, and how many are
    unfinished: ids are never given twice, and a run is finished once and then stays what it is. A new run raises the
    id; without a new one, a run that ends leaves fewer unfinished, and one that is deleted fewer in all. They are read
    in the transaction that counts.
    """

    def __init__(self, count: Callable[[sa.Connection], T]) -> None:
        self._count = count
        self._last: tuple[tuple[object, ...], T] | None = None

    def __call__(self, connection: sa.Connection) -> T:
        """As of the connection's view of the data. May be called in several threads."""
        mark = tuple(connection.execute(_MARK).one())
        last = self._last
        if last is None or last[0] != mark:
            last = self._last = (mark, self._count(connection))
        return last[1]
