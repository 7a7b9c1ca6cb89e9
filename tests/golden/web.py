"""The families of a web config that serves a certificate and has turned some away."""

from collections import Counter
from collections.abc import Sequence

from prometheus_client.core import Metric

from exporter.web.load import Certificate
from exporter.web.web_metrics import WebMetrics

NOW = 1_800_000_000.0
DAY = 86400.0


def families() -> Sequence[Metric]:
    """Of a certificate of ninety days, ten days old."""
    denied = {"credentials": 3, "busy": 0, "rate_limit": 12, "client_certificate": 1}
    certificate = Certificate(NOW - 10 * DAY, NOW + 80 * DAY)
    return list(WebMetrics(NOW - 3600, certificate, True, 2, Counter(denied)).families())  # type: ignore[arg-type]
