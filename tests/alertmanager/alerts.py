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
    "summary": "Log directory letta: 3MiB, over its limit of 2MiB <b>",
    "description": "It holds 3MiB & more\nthan it may.",
    "ended": "The log directory letta is within its max_bytes.",
    "since": "2026-03-01 12:29:45 +0000 UTC",
}


async def post(
    url: str,
    ended: datetime | None = None,
    labels: dict[str, str] = LABELS,
    annotations: dict[str, str] = ANNOTATIONS,
) -> None:
    """Posts the alert as Prometheus does: firing, or resolved when it has ended."""
    alert = {"labels": labels, "annotations": annotations, "startsAt": STARTED.isoformat()}
    if ended is not None:
        alert["endsAt"] = ended.isoformat()
    async with httpx.AsyncClient(verify=False) as client:
        (await client.post(f"{url}/api/v2/alerts", json=[alert])).raise_for_status()
