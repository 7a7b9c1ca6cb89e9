"""What the tasks about performance find, as rows. None: not known."""

from typing import Literal

from remediator.model.task import Row

Resource = Literal["cpu", "memory", "disk", "network", "queries"]


class UseRow(Row):
    """Who uses how much of something now."""

    resource: Resource
    who: str
    """``host``, ``container NAME``, ``process NAME (PID)``, ``SERVER/DATABASE``."""
    unit: Literal["cores", "bytes", "bytes/s", "s"]
    value: float
    share: float | None = None
    """Of all that the host has, or of the container's own limit."""
    detail: str = ""


class UsualRow(Row):
    """The last hour beside what is usual for this hour and weekday. usual_low, usual_high: where it has been."""

    figure: str
    who: str
    unit: Literal["ratio", "cores", "bytes", "bytes/s", "s", ""]
    now: float
    usual: float | None = None
    usual_low: float | None = None
    usual_high: float | None = None
    compared: int
    """Hours of the past that this one is compared with."""
    judgement: Literal["higher", "lower", "usual", "too young"]
    trend: float | None = None
    """By which it grows in a week."""
    trend_share: float | None = None
    """The same as a share of the mean."""
    says: str = ""


class AdviceRow(Row):
    """Something worth doing. actions: of its task's plan now; 0 where that was not asked, or has nothing that it may
    do. value: bytes that they should free.
    """

    task: str
    target: str
    why: str
    actions: int
    breached: bool
    """It is over a limit."""
    critical: bool = False
    """A critical alert fires for it."""
    value: int | None = None
    unit: Literal["bytes"] = "bytes"
    command: str
