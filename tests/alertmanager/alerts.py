"""Alerts to post to an Alertmanager."""

from datetime import UTC, datetime

import httpx

STARTED = datetime(2026, 3, 1, 12, 30, 0, tzinfo=UTC)
ENDED = datetime(2026, 3, 1, 12, 45, 30, tzinfo=UTC)

LABELS = {
    "alertname": "UpkeeperLogDirectoryOverLimit",
    "severity": "warning",
    "instance": "127.0.0.1:10746",
    "directory": "letta",
    "note": "<!channel> <b>&amp;</b>",
}
ANNOTATIONS = {
    "summary": "Log directory letta is over its limit <b>",
    "description": "It holds 3MiB & more\nthan it may.",
    "runbook_url": "docs/runbooks/UpkeeperLogDirectoryOverLimit.md",
}


async def post(url: str, ended: datetime | None = None, labels: dict[str, str] = LABELS) -> None:
    """Posts the alert as Prometheus does: firing, or resolved when it has ended."""
    alert = {"labels": labels, "annotations": ANNOTATIONS, "startsAt": STARTED.isoformat()}
    if ended is not None:
        alert["endsAt"] = ended.isoformat()
    async with httpx.AsyncClient() as client:
        (await client.post(f"{url}/api/v2/alerts", json=[alert])).raise_for_status()
