"""Findings of the configuration audit, as counts."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog
from prometheus_client.core import Metric

from exporter.base.families import Families
from exporter.findings.audit import Audit, Report
from exporter.findings.finding import SEVERITIES, Finding
from exporter.findings.fold import fold
from exporter.findings.known_findings import Identity, KnownFindings
from exporter.findings.running_projects import RunningProjects
from exporter.inventory.collector import CollectorSettings

log = structlog.get_logger(__name__)

Containers = Callable[[], RunningProjects | None]
"""What running containers tell; None while that is not known yet."""

MAX_LINES = 50
"""Lines that are logged in one round. They are all in ``upkeeper plan configuration-audit``."""
_WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.2


class FindingsCollector:
    """Runs every check, and logs each finding that alerts when it comes and when it goes."""

    name = "findings"

    def __init__(
        self,
        audit: Audit,
        settings: CollectorSettings,
        found: Containers = RunningProjects,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._audit = audit
        self._found = found
        self._monotonic = monotonic
        self._memory = KnownFindings()
        self._problems: set[str] = set()

    def continue_from(self, former: "FindingsCollector") -> None:
        """Takes over what is known, so that a reload of the config makes nothing new."""
        self._audit.continue_from(former._audit)
        self._memory, self._problems = former._memory, former._problems

    async def collect(self) -> Sequence[Metric]:
        end = asyncio.get_running_loop().time() + self.deadline * 0.95
        found = await self._containers(min(_WAIT_SECONDS, self.deadline / 3))
        report = await self._audit.run(end - asyncio.get_running_loop().time(), found)
        now = self._monotonic()
        came, gone = self._memory.learn(report, now)
        self._log_changes(report, came, gone)
        return families(report, Counter(self._memory.new(now)))

    async def _containers(self, seconds: float) -> RunningProjects:
        """Waits for the first listing of containers: without it, projects would be found only in the next round."""
        for _ in range(int(seconds / _LOOK_SECONDS)):
            found = self._found()
            if found is not None:
                return found
            await asyncio.sleep(_LOOK_SECONDS)
        return self._found() or RunningProjects()

    def _log_changes(self, report: Report, came: Sequence[Finding], gone: Sequence[Identity]) -> None:
        lines = fold(finding for finding in came if finding.severity != "info")
        for finding in lines[:MAX_LINES]:
            log.warning(
                "configuration finding",
                check=finding.check,
                severity=finding.severity,
                place=str(finding.place),
                finding=finding.message,
            )
        if len(lines) > MAX_LINES:
            log.warning("further configuration findings", count=len(lines) - MAX_LINES)
        ended = [key for key in gone if key[1] != "info"]
        if ended:
            log.info("configuration findings are gone", count=len(ended), checks=sorted({key[0] for key in ended}))
        problems = set(report.problems)
        for problem in sorted(problems - self._problems)[:MAX_LINES]:
            log.warning("configuration not read completely", reason=problem)
        if self._problems and not problems:
            log.info("configuration read completely again")
        self._problems = problems


def families(report: Report, new: Mapping[tuple[str, str], int]) -> Sequence[Metric]:
    """The report as metric families. new: how many findings of a check and severity came within a day. Pure."""
    made = Families("upkeeper_config", "check")
    success = made.gauge("check_success", "Whether the check of the configuration could read everything it should.")
    found = made.gauge(
        "findings",
        "Mistakes that the check of the configuration found, one per place; a failed check may have missed some.",
        "severity",
    )
    recent = made.gauge(
        "findings_new",
        "New mistakes: found within the last day in a project that was checked before.",
        "severity",
    )
    ignored = made.gauge(
        "findings_ignored",
        "Mistakes that the check of the configuration found and that the config accepts.",
        "severity",
    )
    for result in report.results:
        success.add([result.check], result.success)
        for severity in SEVERITIES:
            count = result.count(severity)
            if count is not None:
                found.add([result.check, severity], count)
                recent.add([result.check, severity], new.get((result.check, severity), 0))
            accepted = sum(finding.severity == severity for finding in result.accepted)
            if accepted or result.success:
                ignored.add([result.check, severity], accepted)
    return made.all
