"""What is known of the drill at one moment, gathered from the four services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from remediator.model.shapes.alerts import AlertView, DecisionView
from remediator.model.shapes.holds import BreakerView, PauseView
from remediator.model.shapes.remedies import RemedyView
from remediator.model.shapes.runs import RunView
from remediator.tasks.log_rotation.facts import LOG_ROTATION

ALERT = "UpkeeperLogDirectoryOverLimit"
LABEL = "directory"
"""The alert's label that names the drill's target."""
TASK = LOG_ROTATION.name

ServiceName = Literal["exporter", "prometheus", "alertmanager", "remediator"]
SERVICES: tuple[ServiceName, ...] = ("exporter", "prometheus", "alertmanager", "remediator")


@dataclass(frozen=True)
class Exporter:
    """The drill's directory as the exporter shows it. None: it does not show it."""

    allocated_bytes: float | None = None
    max_bytes: float | None = None
    collector_works: bool | None = None

    @property
    def over_limit(self) -> bool:
        return self.allocated_bytes is not None and self.max_bytes is not None and self.allocated_bytes > self.max_bytes


@dataclass(frozen=True)
class Prometheus:
    """The drill's alert in Prometheus. ``since`` is Unix seconds."""

    alert: Literal["pending", "firing"] | None = None
    since: float | None = None


@dataclass(frozen=True)
class Alertmanager:
    """The drill's alert in Alertmanager. ``suppressed_by``: why it notifies nobody of it, for people."""

    alert: bool = False
    suppressed_by: str | None = None


@dataclass(frozen=True)
class Remediator:
    """The drill's episode at the remediator, and what holds runs back."""

    alert: AlertView | None = None
    decision: DecisionView | None = None
    run: RunView | None = None


@dataclass(frozen=True)
class Wiring:
    """How the services are wired: asked before the breach, and again when the drill is stuck."""

    rule_loaded: bool = True
    target: Literal["up", "down", "unknown", "missing"] = "up"
    """The exporter among Prometheus's scrape targets."""
    target_error: str = ""
    alertmanagers: Sequence[str] | None = None
    """Alertmanagers that Prometheus sends to; None when it was not asked."""
    webhooks_sent: float = 0.0
    """Webhook notifications of Alertmanager since the drill began, failed ones included."""
    webhooks_failed: float = 0.0
    webhooks_rejected: Mapping[str, float] = field(default_factory=dict)
    """Webhooks that the remediator rejected since the drill began, by reason."""
    pauses: Sequence[PauseView] = ()
    breakers: Sequence[BreakerView] = ()
    remedies: Sequence[RemedyView] | None = None
    """None when the remediator was not asked."""


@dataclass(frozen=True)
class DrillFacts:
    """Everything known at one moment."""

    target: str
    """The drill's log directory by its name."""
    state_dir: Path
    urls: Mapping[ServiceName, str]
    unreachable: Mapping[ServiceName, str] = field(default_factory=dict)
    """Services that gave no usable answer, and why."""
    exporter: Exporter = Exporter()
    prometheus: Prometheus = Prometheus()
    alertmanager: Alertmanager = Alertmanager()
    remediator: Remediator = Remediator()
    wiring: Wiring | None = None
    """None between the two times that it is asked for."""
