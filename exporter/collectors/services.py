"""Services: each probe of each of them."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.families import Families
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.services import Service
from exporter.probing.result import ProbeResult
from exporter.probing.run import run_probe

log = structlog.get_logger(__name__)


class ServicesCollector:
    """Runs every probe of every service at once, each with its own time limit and error boundary.

    discovered: services found elsewhere, such as by container labels; asked before each round. A configured service
    of the same name wins.
    """

    name = "services"

    def __init__(
        self,
        services: Sequence[Service],
        settings: CollectorSettings,
        discovered: Callable[[], Sequence[Service]] = tuple,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self.results: Sequence[ProbeResult] | None = None
        """Of the last round; None before the first has ended."""
        self._services = services
        self._discovered = discovered
        self._clock = clock
        self._failing: Mapping[tuple[str, str], float] = {}
        """The probes that failed in the last round, and since when: Unix seconds of the first failure in a row."""
        self._complaints = Complaints(log, "probe failed", "probe recovered", "target", "probe")

    def services(self) -> Sequence[Service]:
        """What is probed now: the configured services, then the discovered ones."""
        configured = {service.name for service in self._services}
        return [*self._services, *(found for found in self._discovered() if found.name not in configured)]

    def continue_from(self, former: "ServicesCollector") -> None:
        """Takes over the results, so that /health is not unknown for a while, and what was logged of them."""
        self.results = former.results
        self._failing = former._failing
        self._complaints = former._complaints

    async def collect(self) -> Sequence[Metric]:
        limit = self.deadline * 0.9  # so that one slow probe fails by itself, not all of them with the collector
        self.results = await asyncio.gather(
            *(
                run_probe(service.name, probe, limit=limit, clock=self._clock)
                for service in self.services()
                for probe in service.probes
            )
        )
        self._failing = failing_since(self.results, self._failing)
        self._log_changes(self.results)
        return families(self.results, self._failing)

    def _log_changes(self, results: Sequence[ProbeResult]) -> None:
        """A line when a probe begins to fail, fails for another reason, and works again."""
        for result in results:
            self._complaints.note((result.target, result.probe), "" if result.success else result.detail)
        self._complaints.keep({(result.target, result.probe) for result in results})


def failing_since(
    results: Sequence[ProbeResult], before: Mapping[tuple[str, str], float]
) -> Mapping[tuple[str, str], float]:
    """The probes that fail, with the Unix seconds of the first failure in a row. Pure. before: as of the last round."""
    failed = [result for result in results if not result.success]
    return {key: before.get(key, result.checked_at) for result in failed for key in [(result.target, result.probe)]}


def families(results: Sequence[ProbeResult], since: Mapping[tuple[str, str], float]) -> Sequence[Metric]:
    """The metrics of one round. Pure. since: what fails, see failing_since."""
    made = Families("upkeeper_probe", "target", "probe")
    success = made.gauge("success", "Whether the probe got the expected answer.")
    duration = made.gauge("duration_seconds", "How long the whole probe took.")
    phase = made.gauge(
        "phase_duration_seconds",
        "How long a phase of the probe took (resolve, connect, tls, processing until the head of the answer, transfer "
        "of its body), redirects included; absent for one that it did not come to.",
        "phase",
    )
    status = made.gauge("http_status_code", "Status of the HTTP response; absent without one.")
    failure = made.gauge(
        "failure_info",
        "1 while the probe fails, with the reason in a few words and, if the config has one, its meaning.",
        "reason",
        "means",
    )
    failing = made.gauge(
        "failing_since_timestamp_seconds",
        "When the probe first failed after its last success; absent while it succeeds.",
    )
    not_after = made.gauge(
        "tls_not_after_timestamp_seconds",
        "When the first certificate of the service's chain expires, as this machine verifies it; also of one that was "
        "refused. What is sent beside the chain does not count.",
    )
    min_validity = made.gauge("tls_min_validity_seconds", "Limit: how long the certificate should remain valid.")
    for result in results:
        values = [result.target, result.probe]
        if not result.success:
            failure.add([*values, result.reason, result.means], 1)
            failing.add(values, since[result.target, result.probe])
        success.add(values, result.success)
        duration.add(values, result.duration)
        for name, seconds in result.phases.items():
            phase.add([*values, name], seconds)
        status.add(values, result.status)
        not_after.add(values, result.tls_not_after)
        min_validity.add(values, result.tls_min_validity)
    return made.all
