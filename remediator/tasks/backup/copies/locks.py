"""Locks of a restic repository: which are provably dead, and whether `restic unlock` would take only those. Pure.

restic removes with ``unlock`` what is older than half an hour, of whichever host, and what is of a process that it
cannot see under the same host name: also that of a living backup in a container. So it is only called where every
lock that it would take was seen to be dead.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from exporter.base.text import format_time
from remediator.model.task import TaskError

_STALE_SECONDS = 20 * 60.0
"""restic takes locks of half an hour for stale; a living one is renewed every five minutes."""
_TICK = 2.0

Fate = Literal["dead", "alive", "unknown"]


@dataclass(frozen=True)
class Lock:
    """One lock. time: Unix seconds, when it was made or last renewed."""

    id: str
    time: float
    exclusive: bool
    host: str
    user: str
    pid: int

    def __str__(self) -> str:
        kind = "exclusive lock" if self.exclusive else "lock"
        return f"{kind} of process {self.pid} of {self.user} on {self.host}, of {format_time(self.time)}"


@dataclass(frozen=True)
class Process:
    """A process of this machine. pids: its numbers, in its own namespaces too. started: Unix seconds."""

    pids: Collection[int]
    started: float


@dataclass(frozen=True)
class Here:
    """What is known of this machine. sees_all: whether no process of it is hidden from us, as in a container."""

    host: str
    processes: Sequence[Process]
    sees_all: bool
    now: float


def parse(id_: str, text: str) -> Lock:
    """A lock as ``restic cat lock`` tells it. Raises TaskError."""
    try:
        fields: Mapping[str, Any] = json.loads(text)
        return Lock(
            id=id_,
            time=datetime.fromisoformat(str(fields["time"])).timestamp(),
            exclusive=bool(fields.get("exclusive", False)),
            host=str(fields["hostname"]),
            user=str(fields.get("username", "?")),
            pid=int(fields["pid"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TaskError(f"the lock {id_[:8]} of the repository is not understood: {type(error).__name__}") from None


def fate(lock: Lock, here: Here) -> Fate:
    """Whether who holds it still works. Dead is only said where that can be seen: of our own host, all of it."""
    if lock.host != here.host:
        return "unknown"
    if any(lock.pid in each.pids and each.started <= lock.time + _TICK for each in here.processes):
        return "alive"
    return "dead" if here.sees_all else "unknown"


def to_unlock(locks: Sequence[Lock], here: Here) -> list[Lock]:
    """The dead ones, if ``restic unlock`` takes those and no other; none where it must not be called."""
    dead = [lock for lock in locks if fate(lock, here) == "dead"]
    others = [lock for lock in locks if lock not in dead]
    if any(_would_be_taken(lock, here) for lock in others):
        return []
    return dead


def _would_be_taken(lock: Lock, here: Here) -> bool:
    old = here.now - lock.time > _STALE_SECONDS
    return old or (lock.host == here.host and fate(lock, here) == "unknown")


def hindering(locks: Sequence[Lock]) -> Lock | None:
    """The lock beside which no snapshot can be made."""
    return next((lock for lock in locks if lock.exclusive), None)
