"""Findings of a recorded audit: of checks that looked at everything, and of one that could not."""

from collections.abc import Sequence

from prometheus_client.core import Metric

from exporter.collectors import findings
from exporter.findings.audit import CheckResult, Report
from exporter.findings.finding import Finding, Place, Severity
from exporter.inventory.checks import CheckName

COMPOSE = "/srv/pa/compose.yaml"


def families() -> Sequence[Metric]:
    """The families of the findings collector."""
    return findings.families(
        Report(
            [
                CheckResult("placeholders"),
                CheckResult(
                    "file-modes",
                    [_finding("file-modes", "warning", "/srv/pa/.env")],
                    problems=["/srv/pa/secrets/letta cannot be read: Permission denied"],
                ),
                CheckResult(
                    "published-ports",
                    [
                        _finding("published-ports", "critical", "supabase-db", 12),
                        _finding("published-ports", "critical", "neo4j", 31),
                        _finding("published-ports", "warning", "n8n", 52),
                    ],
                ),
                CheckResult(
                    "privileges",
                    accepted=[_finding("privileges", "warning", "health-monitor", 78)],
                ),
            ]
        ),
        {("published-ports", "warning"): 1},
    )


def _finding(check: CheckName, severity: Severity, subject: str, line: int | None = None) -> Finding:
    place = Place(COMPOSE, line) if line else Place(subject)
    return Finding(check, severity, subject, place, "what is wrong", "what to do")
