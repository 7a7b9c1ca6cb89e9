"""What a web config tells of itself as metrics."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from exporter.web.load import Certificate

Reason = Literal["credentials", "busy", "rate_limit", "client_certificate"]


@dataclass
class Figures:
    """The figures of one server. last_success: Unix seconds. certificate: the one that is served, None without TLS."""

    last_success: float
    certificate: Certificate | None
    successful: bool = True
    handshake_errors: int = 0
    denied: Counter[Reason] = field(default_factory=lambda: Counter(dict.fromkeys(get_args(Reason), 0)))

    def families(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "upkeeper_web_config_last_reload_successful",
            "Whether the web config and its certificates were put in force when they were last read.",
            value=self.successful,
        )
        yield GaugeMetricFamily(
            "upkeeper_web_config_last_reload_success_timestamp_seconds",
            "When the web config or its certificates were last put in force.",
            value=self.last_success,
        )
        denied = CounterMetricFamily("upkeeper_web_denied", "Requests that were turned away.", labels=["reason"])
        for reason, count in self.denied.items():
            denied.add_metric([reason], count)
        yield denied
        if self.certificate is not None:
            yield from self._of_tls(self.certificate)

    def _of_tls(self, certificate: Certificate) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "upkeeper_web_tls_handshake_errors",
            "TLS handshakes that failed by what the client sent.",
            value=self.handshake_errors,
        )
        yield GaugeMetricFamily(
            "upkeeper_web_tls_not_after_timestamp_seconds",
            "When the certificate that is served expires.",
            value=certificate.not_after,
        )
        yield GaugeMetricFamily(
            "upkeeper_web_tls_renew_by_timestamp_seconds",
            "When the certificate that is served should have been renewed: four fifths of its life are over then.",
            value=certificate.renew_by,
        )
