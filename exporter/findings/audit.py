"""All checks at once: what they found, what of it is accepted, and what could not be looked at."""

import asyncio
import fnmatch
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from exporter.base.threads import KeyedThreads
from exporter.findings.check import Check
from exporter.findings.checks.registry import all_checks
from exporter.findings.error_place import place_of
from exporter.findings.finding import SEVERITIES, Finding, Severity
from exporter.findings.fold import fold
from exporter.findings.gather import DAEMON_FILE, Gatherer, configured
from exporter.findings.inputs import Inputs
from exporter.findings.program_checks import ProgramChecks, ProgramResult
from exporter.findings.running_projects import RunningProjects
from exporter.inventory.audit import Accepted, Configuration
from exporter.inventory.checks import CHECKS

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CheckResult:
    """What one check found."""

    check: str
    findings: Sequence[Finding] = ()
    """Those that are not accepted."""
    accepted: Sequence[Finding] = ()
    problems: Sequence[str] = ()
    """What it could not look at, one line each. With any of them, there may be more findings."""

    @property
    def success(self) -> bool:
        """Whether it has looked at everything."""
        return not self.problems

    def count(self, severity: Severity) -> int | None:
        """Findings of a severity; None where there may be some and none was seen."""
        number = sum(finding.severity == severity for finding in self.findings)
        return number if number or self.success else None


@dataclass(frozen=True)
class Report:
    """The results of the checks that ran, in the order of exporter.findings.CHECKS."""

    results: Sequence[CheckResult] = field(default=())
    projects: Sequence[str] = ()
    """The projects that were looked at, by their first files."""

    @property
    def findings(self) -> Sequence[Finding]:
        """Those that are not accepted, the worst first."""
        found = [finding for result in self.results for finding in result.findings]
        return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.place.file, one.place.line or 0))

    @property
    def lines(self) -> Sequence[Finding]:
        """The findings as they are told, many of a kind in one line, the worst first."""
        found = [finding for result in self.results for finding in fold(result.findings)]
        return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.project))

    @property
    def problems(self) -> Sequence[str]:
        """What could not be looked at, each once."""
        return list(dict.fromkeys(problem for result in self.results for problem in result.problems))

    def only(self, checks: Collection[str]) -> "Report":
        """The part of it that is of these checks."""
        return Report([result for result in self.results if result.check in checks], self.projects)


class Audit:
    """Looks at the files that a configuration names.

    secret_files: paths in addition to those of the configuration that only their owner may read.
    """

    def __init__(
        self, settings: Configuration, secret_files: Sequence[str] = (), daemon_file: str = DAEMON_FILE
    ) -> None:
        self._settings = settings
        self._gatherer = Gatherer(settings, secret_files, daemon_file)
        self._tools = ProgramChecks(settings)
        self._checks = all_checks(settings.placeholder_patterns)
        self._threads = KeyedThreads()
        self._turn = asyncio.Lock()

    @property
    def finds_projects(self) -> bool:
        """Whether running containers name the projects, as none is configured."""
        return not configured(self._settings)

    def continue_from(self, former: "Audit") -> None:
        """Takes over what hangs in the audit that this one replaces."""
        self._gatherer.continue_from(former._gatherer)

    async def run(self, seconds: float, found: RunningProjects = RunningProjects()) -> Report:  # noqa: B008 - it is immutable
        """Looks once. found: what running containers tell; their projects count only where none is configured.

        seconds: for all of it. What does not answer by then is noted in the report. Raises TimeoutError or
        exporter.base.threads.StillStuck only when the checks themselves, which read nothing, take longer.
        """
        async with self._turn:  # the threads know one call for each file at a time
            return await self._run(seconds, found)

    async def _run(self, seconds: float, found: RunningProjects) -> Report:
        inputs = await self._gatherer.gather(seconds * 0.4, found.projects)
        inputs = replace(inputs, health_checked=found.health_checked, running=found.running)
        verdicts, results = await asyncio.gather(
            self._tools.check(inputs.projects, seconds * 0.45, found.running), self._judged(inputs, seconds * 0.5)
        )
        results = [*results, *(_of_verdict(verdict, inputs) for verdict in verdicts)]
        order: dict[str, int] = {name: position for position, name in enumerate(CHECKS)}
        results.sort(key=lambda one: order[one.check])
        projects = [project.files[0] for project in inputs.projects]
        return Report([accept(result, self._settings.ignore) for result in results], projects)

    async def _judged(self, inputs: Inputs, seconds: float) -> list[CheckResult]:
        async with asyncio.timeout(seconds):
            return await self._threads.run("checks", partial(judge, inputs, self._checks))


def judge(inputs: Inputs, checks: Iterable[Check]) -> list[CheckResult]:
    """What the checks find, those left out for which does not existhing to look at. Pure but for the log."""
    results: list[CheckResult] = []
    for check in checks:
        if not check.needs & inputs.present:
            continue
        problems = [reason for kind in sorted(check.needs) for reason in inputs.unread.get(kind, ())]
        try:
            findings = _owned(check.find(inputs), inputs)
        except Exception as error:  # noqa: BLE001 - the boundary: one broken check costs only itself
            log.error("check broke", check=check.name, error=type(error).__name__, line=place_of(error))
            findings, problems = [], [*problems, f"the check failed: unexpected {type(error).__name__}, see the log"]
        results.append(CheckResult(check.name, findings, problems=problems))
    return results


def accept(result: CheckResult, accepted: Sequence[Accepted]) -> CheckResult:
    """The result with its accepted findings apart. Pure."""
    mine = [each for each in accepted if each.check == result.check]
    if not mine:
        return result
    known: list[Finding] = []
    rest: list[Finding] = []
    for finding in result.findings:
        (known if any(_covers(each, finding) for each in mine) else rest).append(finding)
    return CheckResult(result.check, rest, known, result.problems)


def _covers(accepted: Accepted, finding: Finding) -> bool:
    names = (finding.subject, finding.place.file, str(finding.place))
    return any(fnmatch.fnmatchcase(name, accepted.subject) for name in names)


def _of_verdict(verdict: ProgramResult, inputs: Inputs) -> CheckResult:
    return CheckResult(verdict.check, _owned(verdict.findings, inputs), problems=verdict.problems)


def _owned(findings: Iterable[Finding], inputs: Inputs) -> list[Finding]:
    """The findings with the projects that they are in."""
    return [replace(one, project=inputs.owners.get(one.place.file, "")) for one in findings]
