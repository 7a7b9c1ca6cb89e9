"""How the remediator stands."""

from typing import NotRequired

from typing_extensions import TypedDict

from remediator.model.shapes.approvals import ApprovalView
from remediator.model.shapes.audit import AuditStateView
from remediator.model.shapes.holds import BreakerView, PauseView
from remediator.model.shapes.runs import RunView


class BallastView(TypedDict):
    """The room kept for a full disk. ``lacks``: why it is not whole, as far as known; ``doubt``: why it may not help
    although it is. No bytes are wanted where the config says so.
    """

    bytes: int
    wanted_bytes: int
    inodes: int
    wanted_inodes: int
    whole: bool
    lacks: str
    doubt: str


class WayView(TypedDict):
    """A way by which people are told what became of alerts, by its key below ``notify:``. ``told_at``: when a message
    last went, since the start. ``failing_since``: when the first message failed, where the last one did not go;
    ``reason``: why it did not.
    """

    name: str
    told_at: str | None
    failing_since: str | None
    reason: str


class StatusView(TypedDict):
    """The remediator at a glance. ``watchdog_at`` is when the always-firing alert was last received, and
    ``watchdog_lost`` whether it should have come since. ``tells_nobody`` is true where the config has no person told
    of alerts. ``ways``: those by which what became of alerts is told. ``watched``: how many things of each kind the
    config names, by its sections. ``ballast`` is null where the disk does not even tell its size. ``approvals`` are
    those that wait for a person. ``journal_since``: since when this host goes on with its journal, as the database
    that hosts share is away; null while it does not.
    """

    version: str
    paused: list[PauseView]
    queue_depth: int
    running: list[RunView]
    approvals: list[ApprovalView]
    open_breakers: list[BreakerView]
    last_alert_at: str | None
    watchdog_at: str | None
    watchdog_lost: NotRequired[bool]
    tells_nobody: NotRequired[bool]
    ways: NotRequired[list[WayView]]
    watched: NotRequired[dict[str, int]]
    journal_since: NotRequired[str | None]
    counts: dict[str, int]
    audit: NotRequired[AuditStateView]
    ballast: BallastView | None
