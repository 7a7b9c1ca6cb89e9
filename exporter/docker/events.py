"""The engine's memory of what happened, asked for the kills for want of memory since the last time."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from docker import APIClient

log = structlog.get_logger(__name__)


class OomEvents:
    """Asks an engine on this machine, whose clock is ours. One that refuses is not asked again.

    The engine remembers its last 256 events of all kinds: https://github.com/moby/moby/blob/master/daemon/events/events.go

    clock: Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._since = clock()
        self.refused = False

    def read(self, client: "APIClient") -> list[tuple[str, float]]:
        """Container id and Unix seconds of each kill since the last call. Blocks for one short answer.

        An end that is past makes the engine answer from its memory and close, rather than wait for more.
        """
        if self.refused:
            return []
        until = self._clock()
        if until <= self._since:  # the clock was put back
            self._since = until
            return []
        filters = json.dumps({"type": ["container"], "event": ["oom"]})
        answer = client.get(
            f"{client.base_url}/v{client.api_version}/events",
            params={"since": f"{self._since:.9f}", "until": f"{until:.9f}", "filters": filters},
            timeout=client.timeout,
        )
        if not answer.ok:
            if answer.status_code < 500:  # as a proxy before the socket answers
                self.refused = True
                log.info("docker engine tells no events", status=answer.status_code)
            return []
        events = [json.loads(line) for line in answer.text.splitlines() if line.strip()]
        kills = [(event["Actor"]["ID"], event["timeNano"] / 1e9) for event in events]
        kills = [(key, at) for key, at in kills if self._since < at]
        self._since = until
        return kills
