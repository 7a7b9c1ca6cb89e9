"""One file a kind. A collector reads one kind of thing and yields metric families; it knows nothing of HTTP."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from prometheus_client.core import Metric


class Collector(Protocol):
    """Reads one kind of thing.

    ``collect`` raises on failure: the snapshot counts it and keeps the last good values until they are stale.
    It must be cancellable at each await; blocking calls belong into a thread with a time limit of their own.
    """

    @property
    def name(self) -> str: ...

    @property
    def interval(self) -> float:
        """Seconds between the starts of two collections."""
        ...

    @property
    def deadline(self) -> float:
        """Seconds after which one collection is given up."""
        ...

    async def collect(self) -> Sequence[Metric]: ...


@runtime_checkable
class Closable(Protocol):
    """A collector that keeps connections open between its collections."""

    async def close(self) -> None:
        """Closes them, within a second or so whatever the other side does. Nothing is collected afterwards."""


@runtime_checkable
class Continuing(Protocol):
    """A collector that knows more than it yields, which a reload of the config should not lose."""

    def continue_from(self, former: Any) -> None:
        """Takes that over from the collector of the same class that it replaces."""
