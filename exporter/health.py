"""The answer of ``/health``: one JSON document about all probes, with a status that ``curl -f`` understands."""

from collections.abc import Mapping, Sequence

from exporter.probing.result import ProbeResult


def summarize(
    results: Sequence[ProbeResult] | None, now: float, stale_after: float
) -> tuple[int, Mapping[str, object]]:
    """HTTP status and document. Pure.

    results: of the last round; None when there has been none yet. Older than ``stale_after`` seconds they say nothing.
    Status 200 only if every probe is known to succeed; nothing to probe is nothing wrong.
    """
    if results is None:
        status = "starting"
    elif any(now - result.checked_at > stale_after for result in results):
        status = "stale"
    else:
        status = "ok" if all(result.success for result in results) else "failing"
    return (200 if status == "ok" else 503), {
        "status": status,
        "probes": [
            {
                "target": result.target,
                "probe": result.probe,
                "success": result.success,
                "detail": result.detail,
                "http_status": result.status,
                "duration_seconds": round(result.duration, 6),
                "checked_at": result.checked_at,
            }
            for result in results or ()
        ],
    }
