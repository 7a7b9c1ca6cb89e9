"""One measured figure, before it becomes a metric."""

from typing import NamedTuple


class Sample(NamedTuple):
    """``name`` is the family's, without ``upkeeper_host_`` and without ``_total``."""

    name: str
    value: float
    labels: tuple[str, ...] = ()
