"""What a backtest tells, as JSON. Times are RFC 3339 UTC strings; the rest are seconds and counts."""

from typing import Any

from typing_extensions import TypedDict


class GapView(TypedDict):
    """A time of which Prometheus knows nothing."""

    begins: str
    ends: str


class BacktestRemedy(TypedDict):
    """What a remedy would have done.

    ``episodes`` are those about which it would have decided; ``plans`` are runs of one that only observes;
    ``approvals`` are episodes in which a person would have been asked. ``blocked`` has the episodes by the guard that
    held it back at some time, ``held_back`` those in which it never ran because of that.
    """

    name: str
    task: str
    autonomy: str
    episodes: int
    runs: int
    plans: int
    approvals: int
    blocked: dict[str, int]
    held_back: int
    no_target: int
    why_no_target: str | None


class UnmatchedView(TypedDict):
    """Alerts that no remedy matches."""

    alertname: str
    episodes: int


class ReplayedRunView(TypedDict):
    """A run that would have been."""

    at: str
    remedy: str
    task: str
    target: str
    dry_run: bool
    labels: dict[str, str]


class BacktestView(TypedDict):
    """What the remedies would have done about the alerts of a time.

    ``doubtful`` are episodes that may be the one before them again, after a restart or a gap. ``runs`` are listed
    newest first, a thousand at most.
    """

    since: str
    until: str
    step: float
    prometheus: str
    version: str
    external_labels: dict[str, Any]
    assume: str
    run_seconds: float
    gaps: list[GapView]
    restarts: list[str]
    episodes: int
    doubtful: int
    remedies: list[BacktestRemedy]
    unmatched: list[UnmatchedView]
    runs: list[ReplayedRunView]
    notes: list[str]
