"""API shapes for tests, each with what a test does not care about filled in."""

from remediator.model.shapes.alerts import AlertView, DecisionView
from remediator.model.shapes.remedies import RemedyView
from remediator.model.shapes.runs import ActionView, MeasurementView, RunView
from remediator.model.words import ActionState

NOW = "2026-01-01T12:00:00.000Z"


def alert(id: int = 1, **changes: object) -> AlertView:
    shape = {
        "id": id,
        "fingerprint": "00112233aabbccdd",
        "status": "firing",
        "starts_at": NOW,
        "ends_at": None,
        "labels": {"alertname": "UpkeeperLogDirectoryOverLimit", "directory": "upkeeper-drill", "severity": "warning"},
        "annotations": {},
        "first_received_at": NOW,
        "last_received_at": NOW,
        "receptions": 1,
        "due_at": None,
        "muted": None,
        "continued_by": None,
        "host": None,
        "decision": None,
        "run": None,
    }
    return {**shape, **changes}  # type: ignore[typeddict-item]


def decision(**changes: object) -> DecisionView:
    shape = {
        "id": 1,
        "at": NOW,
        "last_at": NOW,
        "repeats": 0,
        "host": "host",
        "alert_id": 1,
        "alertname": "UpkeeperLogDirectoryOverLimit",
        "remedy": "rotate-logs",
        "task": "log-rotation",
        "target": "upkeeper-drill",
        "verdict": "run",
        "guard": None,
        "reason": "",
        "run_id": 1,
        "due_at": None,
    }
    return {**shape, **changes}  # type: ignore[typeddict-item]


def measurement(breached: bool, detail: str = "") -> MeasurementView:
    return {"breached": breached, "values": {}, "detail": detail}


def action(position: int = 0, state: ActionState = "done", **changes: object) -> ActionView:
    shape = {
        "position": position,
        "kind": "rotate",
        "object": "app.log",
        "reason": "larger than 256 KiB",
        "estimated_bytes": 1000,
        "items": 1,
        "state": state,
        "detail": "",
        "freed_bytes": 900 if state == "done" else 0,
        "started_at": None if state == "planned" else NOW,
        "finished_at": NOW if state in ("done", "partial", "skipped", "failed") else None,
    }
    return {**shape, **changes}  # type: ignore[typeddict-item]


def run(**changes: object) -> RunView:
    shape = {
        "id": 1,
        "host": "host",
        "task": "log-rotation",
        "target": "upkeeper-drill",
        "params": {},
        "trigger": "alert",
        "remedy": "rotate-logs",
        "caller": {"trigger": "alert", "name": "rotate-logs"},
        "parent_id": None,
        "alert_id": 1,
        "alert_ended_at": None,
        "dry_run": False,
        "state": "finished",
        "outcome": "effective",
        "reason": "",
        "requested_at": NOW,
        "started_at": NOW,
        "finished_at": NOW,
        "before": measurement(True),
        "after": measurement(False),
        "notes": [],
        "actions": [action()],
        "freed_bytes": 900,
    }
    return {**shape, **changes}  # type: ignore[typeddict-item]


def remedy(**changes: object) -> RemedyView:
    shape = {
        "name": "rotate-logs",
        "match": ['alertname="UpkeeperLogDirectoryOverLimit"'],
        "task": "log-rotation",
        "target": None,
        "target_label": "directory",
        "targets": None,
        "autonomy": "auto",
        "cooldown": 60.0,
        "settle": 60.0,
        "rate": {"per_hour": 20, "per_day": 100},
        "breaker": {"failures": 3, "reset_after": 86400.0},
        "approval": {"expires": 14400.0},
        "track": {"runs": 0, "effective": 0, "plans": 0, "would_act": 0},
        "estimate_ratio": None,
        "configured_autonomy": "auto",
        "changed": None,
        "suggestion": None,
        "trust": {"promote": "suggest", "demote_after": 5},
        "open_breakers": [],
    }
    return {**shape, **changes}  # type: ignore[typeddict-item]
