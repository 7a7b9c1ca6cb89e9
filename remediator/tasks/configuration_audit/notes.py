"""Findings of the configuration audit as notes of a plan, and back. Pure."""

from exporter.findings.finding import SEVERITIES, Finding

SEPARATOR = " | "


def line(finding: Finding) -> str:
    """A finding as a note. See cells."""
    parts = (finding.severity, finding.message, finding.remedy)
    return SEPARATOR.join([str(finding.place), *(part.replace(SEPARATOR, " / ") for part in parts)])


def cells(note: str) -> tuple[str, str, str, str] | None:
    """Place, severity, message and remedy of a note that line has written; None for another note."""
    parts = note.rsplit(SEPARATOR, 3)
    if len(parts) != 4 or parts[1] not in SEVERITIES:
        return None
    return parts[0], parts[1], parts[2], parts[3]
