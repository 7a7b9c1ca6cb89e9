"""The alerts that fire, and what is being done about each. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict

from exporter.base.text import parse_time
from remediator.model.shapes.alerts import AlertView, DecisionView
from remediator.model.shapes.runs import RunView

_QUIET = frozenset({"none"})
"""Severities that are no news: of the always-firing Watchdog."""
_ORDER = {"critical": 0, "error": 1, "warning": 2, "info": 4}
_OTHER = 3

Source = Literal["prometheus", "alertmanager", "record"]


SETTLED_SECONDS = 600.0
"""So long an alert may take to end once its cause is gone: Prometheus and Alertmanager wait for their next turn."""


class FiringView(TypedDict):
    """An alert. ``pending``: its condition holds, and not for long enough yet. ``handled``: a run has just mended it,
    and its end has not come here yet.
    """

    name: str
    severity: str
    state: Literal["firing", "pending"]
    labels: dict[str, str]
    summary: str
    since: str
    doing: str
    handled: bool


def of_prometheus(document: Any) -> list[FiringView]:
    """From the answer of ``/api/v1/alerts``. Raises KeyError, TypeError and AttributeError on one of another form."""
    return _sorted(
        _view(alert["labels"], alert.get("annotations") or {}, alert["activeAt"], alert["state"])
        for alert in document["data"]["alerts"]
        if alert["state"] in ("firing", "pending")
    )


def of_alertmanager(document: Any) -> list[FiringView]:
    """From the answer of ``/api/v2/alerts``. Raises as of_prometheus."""
    return _sorted(
        _view(alert["labels"], alert.get("annotations") or {}, alert["startsAt"], "firing") for alert in document
    )


def of_record(alerts: Iterable[AlertView]) -> list[FiringView]:
    """From what the remediator has received."""
    return _sorted(
        _view(alert["labels"], alert["annotations"], alert["starts_at"], "firing")
        for alert in alerts
        if alert["status"] == "firing"
    )


def _view(
    labels: Mapping[str, str], annotations: Mapping[str, str], since: str, state: Literal["firing", "pending"]
) -> FiringView:
    return {
        "name": labels.get("alertname", ""),
        "severity": labels.get("severity", ""),
        "state": state,
        "labels": dict(labels),
        "summary": annotations.get("summary") or annotations.get("description") or "",
        "since": since,
        "doing": "",
        "handled": False,
    }


def _sorted(views: Iterable[FiringView]) -> list[FiringView]:
    """The worst first, those that fire before those that do not yet."""
    loud = [view for view in views if view["severity"] not in _QUIET]
    return sorted(loud, key=lambda view: (view["state"] == "pending", _ORDER.get(view["severity"], _OTHER)))


def is_quiet(view: FiringView) -> bool:
    """Whether an alert fires that a person need not look at: it only tells something, or was just mended."""
    return view["state"] == "firing" and (view["severity"] == "info" or view["handled"])


def with_doing(
    views: Sequence[FiringView],
    received: Sequence[AlertView],
    decisions: Sequence[DecisionView],
    runs: Sequence[RunView],
    now: datetime,
) -> list[FiringView]:
    """The alerts, each with what is being done about it. All lists newest first."""
    found: list[FiringView] = []
    for view in views:
        decision, doing = _decided(view, received, decisions)
        run = next((one for one in runs if decision is not None and one["id"] == decision["run_id"]), None)
        if decision is not None:
            doing = f"{decision['remedy']}: {_of_run(decision, run)}"
        found.append({**view, "doing": doing, "handled": run is not None and _mended(run, now)})
    return found


def _mended(run: RunView, now: datetime) -> bool:
    ended = run["finished_at"]
    return (
        run["outcome"] == "effective"
        and ended is not None
        and (now - parse_time(ended)).total_seconds() < SETTLED_SECONDS
    )


def _decided(
    view: FiringView, received: Sequence[AlertView], decisions: Sequence[DecisionView]
) -> tuple[DecisionView | None, str]:
    """The decision that led to a run, else why there is none."""
    if view["state"] == "pending":
        return None, "waits to see whether it lasts"
    # Alertmanager's may have more labels: Prometheus adds its external ones on the way.
    alert = next(
        (one for one in received if one["status"] == "firing" and view["labels"].items() <= one["labels"].items()), None
    )
    if alert is None:
        return None, "the remediator has not received it"
    decision = next((one for one in decisions if one["alert_id"] == alert["id"]), None)
    if decision is None:
        return None, "is about to be decided"
    if decision["verdict"] == "unmatched":
        return None, "no remedy matches it"
    if decision["verdict"] == "no-host":
        return None, decision["reason"]
    if decision["verdict"] == "no-target":
        return None, f"{decision['remedy']} does nothing: {decision['reason']}"
    if decision["verdict"] == "blocked":
        guard = f"{decision['guard']}: " if decision["guard"] else ""
        return None, f"{decision['remedy']} is blocked: {guard}{decision['reason']}"
    return decision, ""


def _of_run(decision: DecisionView, run: RunView | None) -> str:
    number = f"run {decision['run_id']}"
    if decision["verdict"] == "observe":
        return f"observes only; {number} has the plan"
    if run is None:
        return number
    if run["state"] == "finished":
        return f"{number} was {run['outcome']}"
    ended = sum(action["state"] in ("done", "skipped", "failed") for action in run["actions"])
    of_all = f", {ended} of {len(run['actions'])} actions" if run["actions"] else ""
    return f"{number} is {run['state']}{of_all}"
