"""Counting the OOM kills in a container.

The kernel's own count ends with the control group, that is with each end of the container: of a container whose only
process is killed, and that is started again at once, it tells nothing. The engine's events do.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Life:
    """A container from one start to its end."""

    started: float | None
    kernel: int | None = None
    """The kernel's count, as last read."""
    before: int = 0
    """The part of it that was there before events were heard."""
    events: int = 0
    ended: bool = False
    """Whether it ended by such a kill."""

    @property
    def kills(self) -> int:
        return max(self.kernel or 0, self.before + self.events, int(self.ended))


@dataclass(slots=True)
class _Count:
    life: _Life
    past: int = 0
    """Kills of earlier lives."""


@dataclass(frozen=True, slots=True)
class OomLook:
    """What is known of a container in one round."""

    id: str
    started: float | None
    """Unix seconds of its last start."""
    kernel: int | None
    """The kernel's count since then; None where it cannot be read."""
    oom_killed: bool
    """Whether its last life ended by such a kill."""


@dataclass(slots=True)
class OomKills:
    """The kills in each container since it was first seen, and those that the kernel had counted by then.

    heard_since: Unix seconds from when on every kill has its event; None where none may be heard. The kernel counts a
    kill before its event arrives, so only in a container from before that can the first count be of others.
    """

    heard_since: float | None = None
    _counts: dict[str, _Count] = field(default_factory=dict)

    def update(self, looks: Collection[OomLook], events: Iterable[tuple[str, float]]) -> dict[str, int]:
        """The counts by container id, after this round. They never fall while a container exists.

        events: container and Unix seconds of each kill that the engine reported since the last round.
        """
        known = {look.id: self._counts.get(look.id) for look in looks}
        self._counts = {look.id: known[look.id] or _Count(_Life(look.started)) for look in looks}
        kills: dict[str, list[float]] = {}
        for key, at in events:
            kills.setdefault(key, []).append(at)
        for look in looks:
            count, times = self._counts[look.id], kills.get(look.id, [])
            if look.started != count.life.started:
                start = look.started or 0.0
                count.life.events += sum(at < start for at in times)
                times = [at for at in times if at >= start]
                count.past += count.life.kills
                count.life = _Life(look.started)
            elif known[look.id] is None and not self._heard_from_its_start(look):
                count.life.before = max(0, (look.kernel or 0) - len(times))
            count.life.events += len(times)
            count.life.ended = count.life.ended or look.oom_killed
            if look.kernel is not None:
                count.life.kernel = look.kernel
        return {key: count.past + count.life.kills for key, count in self._counts.items()}

    def _heard_from_its_start(self, look: OomLook) -> bool:
        return self.heard_since is not None and look.started is not None and look.started > self.heard_since
