"""What a probe comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.probing.recorder import Phase


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``status`` is None over TCP."""

    status: int | None = None
    failure: str = ""
    """Why the answer is not the expected one; empty when it is."""
    found: str = ""
    """What was found, where there is more to say than the status."""
    starting: bool = False
    """Whether the failure is, by the server's own word, that it is starting, recovering or shutting down."""
    brief: str | None = None
    """The failure as a label of a metric may have it: see ProbeFailure. None: the failure itself."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe of one service at one moment."""

    target: str
    probe: str
    success: bool
    detail: str
    """One line for people: why it failed, or what was found. Holds nothing of headers or body."""
    duration: float
    """Seconds."""
    checked_at: float
    """Unix seconds."""
    status: int | None = None
    tls_not_after: float | None = None
    """Unix seconds: when the first certificate of the server's chain expires, as this machine verifies it. Also of one
    refused. What else the server sent does not count."""
    phases: Mapping[Phase, float] = field(default_factory=dict)
    """Seconds of each phase that began."""
    reason: str = ""
    """Why it failed as a label of a metric may have it: see ProbeFailure.brief. Empty when it succeeded."""
    means: str = ""
    """What a failure means, by the config's word."""
    tls_min_validity: float | None = None
    """Seconds that the certificate should be valid for; None without TLS."""
    starting: bool = False
    """Whether it failed because the service, by its own word, is starting, recovering or shutting down."""
