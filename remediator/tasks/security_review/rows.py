"""Findings of the security review as rows."""

from exporter.findings.finding import Severity
from remediator.model.task import Row
from remediator.security.finding import Risk


class RiskRow(Row):
    """One finding. id: by which ``security.accept`` in the config accepts it."""

    severity: Severity
    id: str
    source: str
    message: str
    remedy: str
    file: str
    line: int | None


def row(risk: Risk) -> RiskRow:
    return RiskRow(
        severity=risk.severity,
        id=risk.id,
        source=risk.source,
        message=risk.message,
        remedy=risk.remedy,
        file=risk.file,
        line=risk.line,
    )
