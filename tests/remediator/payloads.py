"""Webhook payloads as Alertmanager writes them, with what a test wants different."""

import json
from typing import Any

ZERO_TIME = "0001-01-01T00:00:00Z"


def alert(**changes: Any) -> dict[str, Any]:
    """One firing alert of a payload."""
    return {
        "status": "firing",
        "labels": {"alertname": "UpkeeperLogDirectoryOverLimit", "directory": "app", "severity": "warning"},
        "annotations": {"summary": "Log directory app is over its limit"},
        "startsAt": "2026-03-01T10:20:30.123456789Z",
        "endsAt": ZERO_TIME,
        "generatorURL": "http://127.0.0.1:10748/graph?g0.expr=1",
        "fingerprint": "00e3a1b2c3d4e5f6",
    } | changes


def payload(*alerts: Any, **changes: Any) -> bytes:
    """The body of a webhook call with these alerts."""
    return json.dumps(
        {
            "receiver": "upkeeper",
            "status": "firing",
            "alerts": list(alerts),
            "groupLabels": {"alertname": "UpkeeperLogDirectoryOverLimit"},
            "commonLabels": {"alertname": "UpkeeperLogDirectoryOverLimit"},
            "commonAnnotations": {},
            "externalURL": "http://127.0.0.1:10749",
            "version": "4",
            "groupKey": '{}:{alertname="UpkeeperLogDirectoryOverLimit"}',
            "truncatedAlerts": 0,
        }
        | changes
    ).encode()


def without(body: bytes, *path: str | int) -> bytes:
    """The payload with one key left out."""
    document = json.loads(body)
    *parents, last = path
    place = document
    for part in parents:
        place = place[part]
    del place[last]
    return json.dumps(document).encode()
