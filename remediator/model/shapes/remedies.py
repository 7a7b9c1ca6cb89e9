"""Remedies: their track, and what they may do."""

from typing import Any, Literal

from typing_extensions import TypedDict

from remediator.config.autonomy import Autonomy


class TrackView(TypedDict):
    """How a remedy has done so far, fire drills left out.

    ``runs`` are those that were to change something, ``effective`` those of them that helped. ``plans`` are those that
    only planned, while the remedy observed, those that failed too; ``would_act`` those of them with something to do.
    """

    runs: int
    effective: int
    plans: int
    would_act: int


class ChangedLevel(TypedDict):
    """Why a remedy may do more or less by itself than the config says, and since when."""

    reason: str
    since: str


class Suggestion(TypedDict):
    """What a remedy has shown that it may do by itself, and by what."""

    autonomy: Autonomy
    reason: str


class LevelView(TypedDict):
    """What a remedy may do by itself now."""

    remedy: str
    autonomy: Autonomy


class RemedyView(TypedDict):
    """A remedy with its guards' settings in seconds and counts, and its track.

    ``autonomy`` is what it may do now; ``changed`` says why, where that is not what the config says. ``estimate_ratio``
    says how well estimates held on this host since then: the smaller of estimated and freed bytes over the larger, on
    average; null where no run had any.
    """

    name: str
    match: list[str]
    task: str
    target: str | None
    target_label: str | None
    targets: dict[str, str] | None
    autonomy: Autonomy
    configured_autonomy: Autonomy
    changed: ChangedLevel | None
    suggestion: Suggestion | None
    estimate_ratio: float | None
    approval: dict[str, float]
    page: Literal["hold", "at-once"]
    silenced: Literal["wait", "run"]
    cooldown: float
    settle: float
    rate: dict[str, int]
    breaker: dict[str, float]
    window: list[dict[str, Any]]
    gate: list[str]
    concurrency: dict[str, int]
    budget: dict[str, int | None]
    storm: dict[str, float | None]
    track: TrackView
    open_breakers: list[str]
