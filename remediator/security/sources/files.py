"""What the checks of the configuration find that lets others in: the exporter's own checks, not others."""

from collections.abc import Sequence

from exporter.base.threads import StillStuck
from exporter.findings.audit import Audit
from exporter.findings.finding import Finding
from exporter.findings.running_projects import RunningProjects
from exporter.inventory.checks import CheckName
from remediator.security.finding import Found, Risk

CHECKS: Sequence[CheckName] = ("file-modes", "plain-secrets", "placeholders", "privileges", "published-ports")
SECONDS = 60.0


async def look(audit: Audit, projects: RunningProjects) -> Found:
    """What `configuration.ignore` accepts is accepted here, too."""
    try:
        report = (await audit.run(SECONDS, projects)).only(CHECKS)
    except (TimeoutError, StillStuck):
        return Found(unknown=[f"the files of the configuration could not be looked at within {SECONDS:g} s"])
    if not report.results:
        return Found(unknown=["no file of the stack was looked at: name Compose files under `configuration:`"])
    risks = [risk_of(finding) for finding in report.findings if finding.severity != "info"]
    return Found(risks, list(report.problems), [f"{len(report.results)} checks of files"])


def risk_of(finding: Finding) -> Risk:
    """Pure."""
    return Risk(
        f"{finding.check}:{finding.subject}",
        finding.severity,
        "configuration",
        finding.message,
        finding.remedy,
        finding.place.file,
        finding.place.line,
    )
