"""The engine's containers as they are now: one listing, and an inspection of those only that may have changed."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from exporter.docker.engine import is_gone
from exporter.docker.logfile import LogConfig
from exporter.docker.objects import container_name, timestamp
from exporter.docker.sandboxlabels import SANDBOX, ends_at

if TYPE_CHECKING:
    from docker import APIClient

Health = Literal["starting", "healthy", "unhealthy", "none"]

_MARGIN_SECONDS = 2.0
"""The engine rounds ages, and its clock may be nudged between two listings."""

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400}
_AGE = re.compile(r"\b(About an|About a|\d+) (second|minute|hour|day|week|month|year)s?\b")


@dataclass(frozen=True, slots=True)
class Inspected:
    """What only an inspection tells of a container, as of its last start or end."""

    pid: int = 0
    """Of its first process as the engine's machine counts; 0 without one."""
    started: float | None = None
    """Unix seconds."""
    restarts: int = 0
    """By its restart policy, since it was last started by hand."""
    oom_killed: bool = False
    """Whether it is stopped, and ended by an OOM kill."""
    exit_code: int | None = None
    """Of its last end; None while it runs, as the engine forgets it then, and before its first start."""
    oom_at: float | None = None
    """Unix seconds of its last end, if there was an OOM kill by then; None while it runs."""
    memory_limit: int | None = None
    """Bytes; None without a limit."""
    network_mode: str = ""
    image: str = ""
    """Reference of the image as the user wrote it."""
    log: LogConfig = field(default_factory=LogConfig)


@dataclass(frozen=True, slots=True)
class ListedContainer:
    """A container as it is now."""

    id: str
    name: str
    state: str
    health: Health = "none"
    labels: Mapping[str, str] = field(default_factory=dict)
    inspected: Inspected = Inspected()
    """The default where the lister was told not to inspect it."""


def health_of(status: str) -> Health:
    """Health from the status text of a container listing, as in ``Up 2 hours (healthy)``; none without a check."""
    if "(healthy)" in status:
        return "healthy"
    if "(unhealthy)" in status:
        return "unhealthy"
    return "starting" if "(health: starting)" in status else "none"


def least_age(status: str) -> float:
    """How many seconds ago a container started or ended at least, by the status text of a listing; 0 when in doubt.

    The engine's words are those of https://github.com/docker/go-units/blob/master/duration.go, which rounds hours up.
    """
    found = _AGE.search(status)
    if found is None:
        return 0.0
    count = int(found[1]) if found[1].isdigit() else 1
    if found[2] == "hour" and count > 1:
        return (count - 0.5) * 3600
    return count * float(_UNITS.get(found[2], 365 * 86400))


def inspected(answer: Mapping[str, Any]) -> Inspected:
    """The facts in the engine's answer to an inspection, each of which may be null or absent. Pure."""
    state, host = answer.get("State") or {}, answer.get("HostConfig") or {}
    stopped = not state.get("Pid")
    oom_killed = stopped and bool(
        state.get("OOMKilled")
    )  # of a running one it is its last end's, or of its present life
    log = host.get("LogConfig") or {}
    started = timestamp(state.get("StartedAt"))
    return Inspected(
        pid=state.get("Pid") or 0,
        started=started,
        restarts=answer.get("RestartCount") or 0,
        oom_killed=oom_killed,
        exit_code=state.get("ExitCode") if started is not None and stopped else None,
        oom_at=timestamp(state.get("FinishedAt")) if oom_killed else None,
        memory_limit=host.get("Memory") or None,
        network_mode=host.get("NetworkMode") or "",
        image=(answer.get("Config") or {}).get("Image") or "",
        log=LogConfig(log.get("Type") or "", log.get("Config") or {}, answer.get("LogPath") or ""),
    )


class Lister:
    """Lists containers with one request, and inspects only those that started or ended since the last listing.

    Only an inspection tells the process and the number of restarts. A start or end resets the age in the status text,
    so that a container in the same state, whose age is more than the time since the last listing, did neither.

    wanted: by name and labels, whether a container is inspected at all.
    monotonic: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        wanted: Callable[[str, Mapping[str, str]], bool] = lambda _name, _labels: True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted = wanted
        self._monotonic = monotonic
        self.sandboxes: Mapping[str, float] = {}
        """By the last listing: whose containers are left out, with the Unix time of their end."""
        self._listed_at = float("-inf")
        self._known: dict[str, tuple[str, Inspected]] = {}

    def read(self, client: "APIClient") -> list[ListedContainer]:
        """Every container, running or not, but those of sandboxes. Blocks."""
        begin = self._monotonic()
        entries: list[dict[str, Any]] = client.containers(all=True)
        elapsed = self._monotonic() - self._listed_at + _MARGIN_SECONDS
        found: list[ListedContainer] = []
        known: dict[str, tuple[str, Inspected]] = {}
        sandboxes: dict[str, float] = {}
        for entry in entries:
            key, name, labels = entry["Id"], container_name(entry), entry.get("Labels") or {}
            if SANDBOX in labels:
                sandboxes[labels[SANDBOX]] = ends_at(labels)
                continue
            state, status = entry.get("State") or "", entry.get("Status") or ""
            facts = Inspected()
            if self._wanted(name, labels):
                before = self._known.get(key)
                if before is not None and before[0] == state and (state == "created" or least_age(status) > elapsed):
                    facts = before[1]
                else:
                    fresh = _inspect(client, key)
                    if fresh is None:
                        continue
                    facts = fresh
                known[key] = (state, facts)
            found.append(ListedContainer(key, name, state, health_of(status), labels, facts))
        self._known, self._listed_at, self.sandboxes = known, begin, sandboxes
        return found

    def forget(self, key: str) -> None:
        """Has a container inspected in the next listing: what is known of it has turned out to be wrong."""
        self._known.pop(key, None)


def _inspect(client: "APIClient", key: str) -> Inspected | None:
    """None for a container that vanished since it was listed."""
    try:
        return inspected(client.inspect_container(key))
    except OSError as error:
        if not is_gone(error):
            raise
        return None
