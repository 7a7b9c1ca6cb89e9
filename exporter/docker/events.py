"""The engine's memory of what happened: ends of containers, and OOM kills."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from docker import APIClient

log = structlog.get_logger(__name__)

LOOK_BACK_SECONDS = 900.0
"""How far back the first look goes: so long an end or a kill is news."""


@dataclass(frozen=True, slots=True)
class Event:
    """A container ended, or the kernel killed a process of it."""

    id: str
    at: float
    """Unix seconds."""
    exit_code: int | None = None
    """Of an end; None for an OOM kill."""


class ContainerEvents:
    """Asks an engine on this machine, whose clock is ours. One that refuses is not asked again.

    The engine remembers its last 256 events of all kinds: https://github.com/moby/moby/blob/master/daemon/events/events.go

    clock: Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.began = clock()
        """Unix seconds since when events are heard; those from before are from the engine's memory."""
        self._since = self.began - LOOK_BACK_SECONDS
        self.refused = False

    def read(self, client: "APIClient") -> list[Event]:
        """What happened since the last call, in that order. Blocks for one short answer.

        An end that is past makes the engine answer from its memory and close, rather than wait for more.
        """
        if self.refused:
            return []
        until = self._clock()
        if until <= self._since:  # the clock was put back
            self._since = until
            return []
        filters = json.dumps({"type": ["container"], "event": ["oom", "die"]})
        answer = client.get(
            f"{client.base_url}/v{client.api_version}/events",
            params={"since": f"{self._since:.9f}", "until": f"{until:.9f}", "filters": filters},
            timeout=client.timeout,
        )
        if not answer.ok:
            if answer.status_code < 500:  # as a proxy before the socket answers
                self.refused = True
                log.info("docker engine provides no events", status=answer.status_code)
            return []
        events = [_event(json.loads(line)) for line in answer.text.splitlines() if line.strip()]
        found = [event for event in events if event is not None and self._since < event.at]
        self._since = until
        return found


def _event(told: Mapping[str, Any]) -> Event | None:
    """None for one that is neither, as an engine may send that does not know the filter."""
    actor = told.get("Actor") or {}
    key, at, action = actor.get("ID") or "", (told.get("timeNano") or 0) / 1e9, told.get("Action")
    if action == "oom":
        return Event(key, at)
    code = str((actor.get("Attributes") or {}).get("exitCode") or "")
    return Event(key, at, int(code)) if action == "die" and code.isdecimal() else None
