"""What a web config tells of itself as metrics."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from prometheus_client.core import Metric

from exporter.base.families import Families
from exporter.web.load import Certificate

Reason = Literal["credentials", "busy", "rate_limit", "client_certificate"]


@dataclass
class WebMetrics:
    """The figures of one server. last_success: Unix seconds. certificate: the one that is served, None without TLS."""

    last_success: float
    certificate: Certificate | None
    successful: bool = True
    handshake_errors: int = 0
    denied: Counter[Reason] = field(default_factory=lambda: Counter(dict.fromkeys(get_args(Reason), 0)))

    def families(self) -> Sequence[Metric]:
        made = Families("upkeeper_web")
        made.gauge(
            "config_last_reload_successful",
            "Whether the web config and its certificates were put in force when they were last read.",
        ).add((), self.successful)
        made.gauge(
            "config_last_reload_success_timestamp_seconds",
            "When the web config or its certificates were last put in force.",
        ).add((), self.last_success)
        denied = made.counter("denied", "Requests that were rejected.", "reason")
        denied.add_all(([reason], count) for reason, count in self.denied.items())
        if self.certificate is not None:
            self._add_tls(made, self.certificate)
        return made.all

    def _add_tls(self, made: Families, certificate: Certificate) -> None:
        made.counter("tls_handshake_errors", "TLS handshakes that failed because of what the client sent.").add(
            (), self.handshake_errors
        )
        made.gauge("tls_not_after_timestamp_seconds", "When the certificate that is served expires.").add(
            (), certificate.not_after
        )
        made.gauge(
            "tls_renew_by_timestamp_seconds",
            "When the certificate that is served should have been renewed: after four fifths of its lifetime.",
        ).add((), certificate.renew_by)
