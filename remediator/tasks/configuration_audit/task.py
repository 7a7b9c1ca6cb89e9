"""configuration-audit and validate-config: every mistake in the stack's configuration, now. They only look."""

from collections.abc import Collection, Sequence
from functools import partial

import structlog

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.base.threads import StillStuck
from exporter.configfile.named_files import secret_files
from exporter.docker.containers import Lister
from exporter.docker.engine import DockerEngine
from exporter.findings.audit import Audit, Report
from exporter.findings.finding import SEVERITIES, Finding
from exporter.findings.running_projects import RunningProjects, running_projects
from exporter.inventory.checks import CHECKS, VALID, CheckName
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.model.taskfacts import TaskFacts
from remediator.tasks.configuration_audit.facts import ALL, CONFIGURATION_AUDIT, VALIDATE_CONFIG
from remediator.tasks.configuration_audit.rows import row
from remediator.tasks.resources import Resources

log = structlog.get_logger(__name__)

MAX_ROWS = 500
"""Findings in one plan; further ones are counted."""
LOOK_SECONDS = 60.0


class ConfigurationAudit:
    """Runs the checks that the exporter counts as ``upkeeper_config_findings``, and lists what they find.

    engine: its containers tell what images bring a health check, and their projects where the config names none.
    """

    parameters = Parameters
    action_timeout = 60.0

    def __init__(
        self, facts: TaskFacts, audit: Audit, engine: DockerEngine | None, checks: Collection[CheckName] = CHECKS
    ) -> None:
        self.facts = facts
        self._audit = audit
        self._engine = engine
        self._lister = Lister()
        self._checks = [check for check in CHECKS if check in checks]

    async def targets(self) -> Sequence[str]:
        """``all``, and each check."""
        return [ALL, *self._checks]

    async def measure(self, target: str) -> Measurement:
        """Breached: a warning, something critical, or something that could not be looked at.

        Values: the number of findings of each check and severity, as in ``limits/warning``.
        """
        report, _ = await self._look(target)
        values = {
            f"{result.check}/{severity}": float(count)
            for result in report.results
            for severity in SEVERITIES
            if (count := result.count(severity)) is not None
        }
        breached = bool(report.problems) or any(finding.severity != "info" for finding in report.findings)
        return Measurement(breached=breached, values=values, detail=_summary(report, _told(report, target)))

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Never an action; a row for each finding, the worst first, and a note for whatever could not be looked at.

        For ``all``, findings of one kind are one row; for one check, each stands for itself.
        """
        report, remarks = await self._look(target)
        found = _told(report, target)
        notes = []
        if len(found) > MAX_ROWS:
            notes.append(f"There are {len(found) - MAX_ROWS} further findings.")
        notes += [f"Not looked at as a whole: {problem}." for problem in report.problems]
        accepted = sum(len(result.accepted) for result in report.results)
        if accepted:
            notes.append(f"The config accepts {counted(accepted, 'further finding')} (configuration.ignore).")
        return Plan(rows=[row(finding) for finding in found[:MAX_ROWS]], notes=[*notes, *remarks])

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Something was wrong, and nothing is any more."""
        return before.breached and not after.breached

    async def _look(self, target: str) -> tuple[Report, list[str]]:
        """The report on a target, and remarks on what is not part of it."""
        if target != ALL and target not in self._checks:
            raise TaskError(f"there is no check named {target}; there are: {', '.join(self._checks)}")
        found, remarks = await self._found()
        try:
            report = await self._audit.run(LOOK_SECONDS, found)
        except (TimeoutError, StillStuck):
            raise TaskError(f"the checks did not end within {LOOK_SECONDS:g} s") from None
        return report.only(self._checks if target == ALL else [target]), remarks

    async def _found(self) -> tuple[RunningProjects, list[str]]:
        if self._engine is None:
            return RunningProjects(), []
        try:
            return running_projects(await self._engine.call(partial(Lister.read, self._lister))), []
        except UpkeeperError as error:
            log.debug("containers unknown", error=str(error))
            remark = f"No Compose files are configured, and running containers could not name any: {error}."
            return RunningProjects(), [remark] if self._audit.finds_projects else []


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    audit = Audit(config.configuration, secret_files(config))
    return [configuration_audit(audit, resources.docker), validate_config(audit, resources.docker)]


def configuration_audit(audit: Audit, engine: DockerEngine | None) -> ConfigurationAudit:
    return ConfigurationAudit(CONFIGURATION_AUDIT, audit, engine)


def validate_config(audit: Audit, engine: DockerEngine | None) -> ConfigurationAudit:
    return ConfigurationAudit(VALIDATE_CONFIG, audit, engine, VALID)


def _told(report: Report, target: str) -> Sequence[Finding]:
    return report.lines if target == ALL else report.findings


def _summary(report: Report, told: Sequence[Finding]) -> str:
    if not report.results:
        return "there is nothing to look at: name Compose files and others under `configuration:`"
    counts = {severity: sum(one.severity == severity for one in told) for severity in reversed(SEVERITIES)}
    found = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
    text = f"{counted(len(told), 'finding')}: {found}" if found else "no findings"
    if len(told) < len(report.findings):
        text += f", in {len(report.findings)} places"
    if report.problems:
        text += f"; not looked at: {counted(len(report.problems), 'thing')}"
    return f"{text}, by {counted(len(report.results), 'check')}"
