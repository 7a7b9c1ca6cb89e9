"""Whether people can be told by each way, as the last message showed: for metrics, and for who asks how things are."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from exporter.base.families import Families


@dataclass(frozen=True)
class Way:
    """How a way stands. Times are Unix seconds. failing_since: when the first message did not go after those that did;
    None where the last one went, or none was sent. reason: why it did not go, without a secret. went, failed: messages.
    """

    name: str
    told_at: float | None = None
    failing_since: float | None = None
    reason: str = ""
    went: int = 0
    failed: int = 0


class Reach:
    """It lasts as long as the process: the first message shows how things are after it. clock: Unix seconds."""

    def __init__(self, clock: Callable[[], float], registry: CollectorRegistry) -> None:
        self._clock = clock
        self._ways: dict[str, Way] = {}
        registry.register(_Collector(self))

    @property
    def ways(self) -> Sequence[Way]:
        """Those that there are, in the order of the config."""
        return list(self._ways.values())

    def keep(self, names: Collection[str]) -> None:
        """These there are from now on, and what is known of them stays."""
        self._ways = {name: self._ways.get(name, Way(name)) for name in names}

    def went(self, name: str) -> None:
        """A message went. What is said of a way that a changed config no longer has is passed over."""
        if (way := self._ways.get(name)) is not None:
            now = self._clock()
            self._ways[name] = replace(way, told_at=now, failing_since=None, reason="", went=way.went + 1)

    def did_not_go(self, name: str, reason: str) -> None:
        """A message did not go. reason: without a secret."""
        if (way := self._ways.get(name)) is not None:
            since = self._clock() if way.failing_since is None else way.failing_since
            self._ways[name] = replace(way, failing_since=since, reason=reason, failed=way.failed + 1)

    def families(self) -> Iterable[Metric]:
        made = Families("upkeeper_telling", "way")
        up = made.gauge("up", "Whether the last message to people went this way; absent until one was sent")
        told = made.gauge("last_success_timestamp_seconds", "When a message last went this way; absent until one does")
        since = made.gauge("failing_since_timestamp_seconds", "When the first of the messages failed that did not go")
        messages = made.counter("messages", "Messages to people of what became of alerts, that went this way")
        failures = made.counter("failures", "Attempts to send one that failed")
        for way in self._ways.values():
            name = (way.name,)
            if way.went or way.failed:
                up.add(name, float(way.failing_since is None))
            told.add(name, way.told_at)
            since.add(name, way.failing_since)
            messages.add(name, way.went)
            failures.add(name, way.failed)
        return made.all


class _Collector:
    """For a registry."""

    def __init__(self, reach: Reach) -> None:
        self.collect = reach.families
