"""Findings of the configuration audit as rows."""

from collections.abc import Sequence

from exporter.findings.finding import Finding, Severity
from remediator.model.task import Row

MAX_PLACES = 200
"""Places of one finding that its row names."""


class PlaceCell(Row):
    """A line of a file, counted from 1; a line of None means the file as a whole."""

    file: str
    line: int | None


class FindingRow(Row):
    """One finding, or several told in one. place_count: how many places it is about, named or not."""

    severity: Severity
    check: str
    places: Sequence[PlaceCell]
    place_count: int
    message: str
    remedy: str


def row(finding: Finding) -> FindingRow:
    """A finding as a row."""
    places = finding.places
    return FindingRow(
        severity=finding.severity,
        check=finding.check,
        places=[PlaceCell(file=place.file, line=place.line) for place in places[:MAX_PLACES]],
        place_count=len(places),
        message=finding.message,
        remedy=finding.remedy,
    )
