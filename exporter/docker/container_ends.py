"""How each container last ended, and the time of its last OOM kill, kept when it is started again. Pure.

The engine forgets the exit code with the next start. By ``OOMKilled`` of a running container, 20.10 means its last
end, and the newest one its present life: so only events and what is said of stopped containers count.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from exporter.docker.containers import ListedContainer
from exporter.docker.events import Event


@dataclass(frozen=True, slots=True)
class End:
    """What is known of a container's past. None: nothing."""

    exit_code: int | None = None
    oom_at: float | None = None
    """Unix seconds."""


@dataclass(slots=True)
class Ends:
    """The ends of the containers that there are."""

    _known: dict[str, End] = field(default_factory=dict)
    _kernel: dict[str, int] = field(default_factory=dict)

    def update(
        self, containers: Collection[ListedContainer], events: Iterable[Event], kernel: dict[str, int], now: float
    ) -> dict[str, End]:
        """By container id, after this round.

        events: since the last round, in their order. kernel: its counts of kills in each container's current life; one
        that grew without an event is news as well. now: Unix seconds.
        """
        known = {container.id: self._known.get(container.id, End()) for container in containers}
        for event in events:
            if event.id not in known:
                continue
            if event.exit_code is None:
                known[event.id] = replace(known[event.id], oom_at=event.at)
            else:
                known[event.id] = replace(known[event.id], exit_code=event.exit_code)
        for container in containers:
            end, told = known[container.id], container.inspected
            grown = kernel.get(container.id, 0) > self._kernel.get(container.id, kernel.get(container.id, 0))
            if grown and end.oom_at == self._known.get(container.id, End()).oom_at:
                end = replace(end, oom_at=now)
            if told.exit_code is not None:
                end = replace(end, exit_code=told.exit_code)
            if told.oom_at is not None:
                end = replace(end, oom_at=max(told.oom_at, end.oom_at or 0.0))
            known[container.id] = end
        self._known, self._kernel = known, {key: count for key, count in kernel.items() if key in known}
        return known
