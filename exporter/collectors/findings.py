"""Findings of the configuration audit, as counts."""

import asyncio
from collections.abc import Callable, Sequence

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric

from exporter.findings.audit import Audit, Report
from exporter.findings.finding import SEVERITIES, Finding
from exporter.findings.found import Found
from exporter.inventory.collector import CollectorSettings

log = structlog.get_logger(__name__)

Containers = Callable[[], Found | None]
"""What running containers tell; None while that is not known yet."""

MAX_LINES = 50
"""Findings that are logged in one round. They are all in ``upkeeper plan configuration-audit``."""
_WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.2


class FindingsCollector:
    """Runs every check, and logs each finding that alerts when it comes and when it goes."""

    name = "findings"

    def __init__(self, audit: Audit, settings: CollectorSettings, found: Containers = Found) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._audit = audit
        self._found = found
        self._known: set[tuple[str, str, str, str, str]] = set()
        self._problems: set[str] = set()

    def continue_from(self, former: "FindingsCollector") -> None:
        """Takes over what was logged, so that a reload of the config does not repeat it."""
        self._audit.continue_from(former._audit)
        self._known, self._problems = former._known, former._problems

    async def collect(self) -> Sequence[Metric]:
        end = asyncio.get_running_loop().time() + self.deadline * 0.95
        found = await self._containers(min(_WAIT_SECONDS, self.deadline / 3))
        report = await self._audit.run(end - asyncio.get_running_loop().time(), found)
        self._log_changes(report)
        return families(report)

    async def _containers(self, seconds: float) -> Found:
        """Waits for the first listing of containers: without it, projects would be found only in the next round."""
        for _ in range(int(seconds / _LOOK_SECONDS)):
            found = self._found()
            if found is not None:
                return found
            await asyncio.sleep(_LOOK_SECONDS)
        return self._found() or Found()

    def _log_changes(self, report: Report) -> None:
        now = {_identity(finding): finding for finding in report.findings if finding.severity != "info"}
        new = [finding for key, finding in now.items() if key not in self._known]
        for finding in new[:MAX_LINES]:
            log.warning(
                "configuration finding",
                check=finding.check,
                severity=finding.severity,
                place=str(finding.place),
                finding=finding.message,
            )
        if len(new) > MAX_LINES:
            log.warning("further configuration findings", count=len(new) - MAX_LINES)
        # What a failed check did not see may still be there.
        complete = {result.check for result in report.results if result.success}
        gone = {key for key in self._known - now.keys() if key[0] in complete}
        if gone:
            log.info("configuration findings are gone", count=len(gone), checks=sorted({key[0] for key in gone}))
        self._known = (self._known - gone) | now.keys()
        problems = set(report.problems)
        for problem in sorted(problems - self._problems)[:MAX_LINES]:
            log.warning("configuration not looked at as a whole", reason=problem)
        if self._problems and not problems:
            log.info("configuration looked at as a whole again")
        self._problems = problems


def _identity(finding: Finding) -> tuple[str, str, str, str, str]:
    """What makes it the same finding: not its line, which moves with every edit above it."""
    return finding.check, finding.severity, finding.subject, finding.place.file, finding.message


def families(report: Report) -> Sequence[Metric]:
    """The report as metric families. Pure."""
    success = GaugeMetricFamily(
        "upkeeper_config_check_success",
        "Whether the check of the configuration has looked at everything that it should.",
        labels=["check"],
    )
    found = GaugeMetricFamily(
        "upkeeper_config_findings",
        "Mistakes that the check of the configuration found; a check that failed may have missed some.",
        labels=["check", "severity"],
    )
    ignored = GaugeMetricFamily(
        "upkeeper_config_findings_ignored",
        "Mistakes that the check of the configuration found and the config accepts.",
        labels=["check", "severity"],
    )
    for result in report.results:
        success.add_metric([result.check], result.success)
        for severity in SEVERITIES:
            count = result.count(severity)
            if count is not None:
                found.add_metric([result.check, severity], count)
            accepted = sum(finding.severity == severity for finding in result.accepted)
            if accepted or result.success:
                ignored.add_metric([result.check, severity], accepted)
    return success, found, ignored
