"""Findings as rows."""

from exporter.findings.finding import Finding, Place
from remediator.tasks.configuration_audit.rows import MAX_PLACES, row


def finding(*lines: int | None, file: str = "/srv/a | b/compose.yaml") -> Finding:
    parts = tuple(Finding("limits", "warning", "web", Place(file, line), "part", "") for line in lines)
    return Finding("limits", "warning", "web", Place(file, lines[0]), "it is wrong | very", "mend it", parts=parts)


def test_a_row_says_what_the_finding_says() -> None:
    made = row(finding(7, None))
    assert (made.severity, made.check, made.message, made.remedy) == (
        "warning",
        "limits",
        "it is wrong | very",
        "mend it",
    )
    assert [(place.file, place.line) for place in made.places] == [
        ("/srv/a | b/compose.yaml", 7),
        ("/srv/a | b/compose.yaml", None),
    ]


def test_a_row_counts_the_places_that_it_does_not_name() -> None:
    made = row(finding(*range(1, MAX_PLACES + 51)))
    assert (len(made.places), made.place_count) == (MAX_PLACES, MAX_PLACES + 50)
