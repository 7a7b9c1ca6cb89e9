"""Alerts, and what was decided of them."""

from typing import Literal

from typing_extensions import TypedDict

from remediator.model.words import RunState, Verdict


class LastDecision(TypedDict):
    """What was decided last about an alert, and why."""

    id: int
    last_at: str
    remedy: str | None
    verdict: Verdict
    reason: str
    run_id: int | None


class LastRun(TypedDict):
    """The newest run for an alert. ``outcome`` is null until ``state`` is ``finished``."""

    id: int
    task: str
    target: str
    state: RunState
    outcome: str | None
    reason: str


class AlertView(TypedDict):
    """One episode of an alert. ``due_at`` is when its remedies are looked at again; null: when something happens.

    ``muted`` is why people were not told of it when it was last seen in Alertmanager; null where they were.
    ``host`` is the one that decides about it, where hosts share a database; else null.
    ``continued_by`` is the episode as which the same outage went on after a restart of Alertmanager or Prometheus.
    ``decision`` is the last one about it, and ``run`` the newest run for it; null before there is any.
    """

    id: int
    fingerprint: str
    status: Literal["firing", "resolved"]
    starts_at: str
    ends_at: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    first_received_at: str
    last_received_at: str
    receptions: int
    due_at: str | None
    muted: str | None
    continued_by: int | None
    host: str | None
    decision: LastDecision | None
    run: LastRun | None


class DecisionView(TypedDict):
    """What a remedy decided about an alert, how often, and why.

    ``due_at``, on the newest decision about a firing alert, is when it is looked at again; null: when something
    happens, such as the end of a run.
    """

    id: int
    at: str
    last_at: str
    repeats: int
    host: str
    alert_id: int
    alertname: str
    remedy: str | None
    task: str | None
    target: str | None
    verdict: Verdict
    guard: str | None
    reason: str
    run_id: int | None
    due_at: str | None
