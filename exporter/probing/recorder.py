"""What happens in a probe: how long each phase takes and, when somebody wants to see them, the single steps."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote

from exporter.base.masking import HIDDEN

Phase: TypeAlias = Literal["resolve", "connect", "tls", "processing", "transfer"]
"""Names to addresses; a TCP connection; the TLS handshake; from the request to the head of the answer; its body."""

_LEAST_HIDDEN = 3
"""Shorter secrets are hidden where they are expected, and not wherever their few characters occur."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. ``facts`` are of plain types, as in a JSON document, and hold no secret."""

    at: float
    """Seconds since the probe began."""
    what: str
    facts: Mapping[str, object]


class Recorder:
    """Follows one probe.

    detailed: whether steps are kept. secrets: texts that no step may hold. clock: seconds that never jump.
    """

    def __init__(
        self, detailed: bool = False, secrets: Iterable[str] = (), clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.detailed = detailed
        self.phase: Phase | None = None
        """The current phase; None before the first and after the last."""
        self.phases: dict[Phase, float] = {}
        """Seconds of each phase that began. One that comes again, as after a redirect, adds up."""
        self.sent: Sequence[bytes] = ()
        """The certificates in DER form that the server sent last, its own first."""
        self.chain: Sequence[bytes] = ()
        """Those of them that its own one is judged by, and the root that was not sent. Likewise."""
        self.steps: list[Step] = []
        self._secrets: set[str] = set()
        self.keep_secret(*secrets)
        self._clock = clock
        self._start = self._since = clock()

    def begin(self) -> None:
        """The probe begins now."""
        self._start = self._since = self._clock()

    def enter(self, phase: Phase | None) -> None:
        """Ends the current phase and begins this one. None begins none."""
        now = self._clock()
        if self.phase is not None:
            self.phases[self.phase] = self.phases.get(self.phase, 0.0) + now - self._since
        self.phase, self._since = phase, now

    def keep_secret(self, *texts: str) -> None:
        """Texts that no later step may hold, whether as JSON or as a part of a URL."""
        for text in texts:
            self._secrets |= {text, json.dumps(text)[1:-1], quote(text, safe="")}

    def note(self, what: str, **facts: object) -> None:
        """Keeps a step, if steps are wanted."""
        if self.detailed:
            shown = {key: self._shown(value) for key, value in facts.items()}
            self.steps.append(Step(self._clock() - self._start, what, shown))

    def hide(self, text: str, limit: int | None = None) -> str:
        """The text without its secrets, and no longer than ``limit``. Only this order hides one that would be cut."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            if len(secret) >= _LEAST_HIDDEN or secret == text != "":
                text = text.replace(secret, HIDDEN)
        return text if limit is None or len(text) <= limit else f"{text[:limit]}..."

    def _shown(self, value: object) -> object:
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self._shown(key): self._shown(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._shown(item) for item in value]
        return value
