"""One round of probes: of services that are well, half well, behind a certificate, with an expired one, and down."""

from collections.abc import Sequence

from prometheus_client.core import Metric

from exporter.collectors.services import failing_since
from exporter.collectors.services import families as families_of
from exporter.probing.recorder import Phase
from exporter.probing.result import ProbeResult

NOW = 1_800_000_000.0
DAY = 86400.0


def _result(
    target: str,
    probe: str,
    phases: dict[Phase, float],
    *,
    failure: str = "",
    status: int | None = None,
    not_after: float | None = None,
    means: str = "",
) -> ProbeResult:
    return ProbeResult(
        target=target,
        probe=probe,
        success=not failure,
        detail=failure or f"status {status}",
        duration=sum(phases.values()),
        checked_at=NOW,
        status=status,
        tls_not_after=not_after,
        phases=phases,
        reason=failure,
        means=means,
        tls_min_validity=None if not_after is None else 14 * DAY,
    )


RESULTS = [
    _result(
        "n8n",
        "live",
        {"resolve": 0.00005, "connect": 0.0002, "processing": 0.004, "transfer": 0.0001},
        status=200,
    ),
    _result(
        "n8n",
        "ready",
        {"resolve": 0.00005, "connect": 0.0002, "processing": 0.031, "transfer": 0.0001},
        failure="status 503, expected 200",
        status=503,
        means="database not reachable",
    ),
    _result(
        "web",
        "live",
        {"resolve": 0.0021, "connect": 0.0102, "tls": 0.0254, "processing": 0.0523, "transfer": 0.0007},
        status=200,
        not_after=NOW + 30 * DAY,
    ),
    _result(
        "old",
        "live",
        {"resolve": 0.0018, "connect": 0.0099, "tls": 0.0207},
        failure="certificate verify failed: certificate has expired",
        not_after=NOW - 3 * DAY,
    ),
    _result("supabase-db", "live", {"resolve": 0.00004, "connect": 0.0001}, failure="cannot connect"),
]


def families() -> Sequence[Metric]:
    """The families of the round."""
    return families_of(RESULTS, failing_since(RESULTS, {("n8n", "ready"): NOW - 90}))
