"""Findings of the configuration audit as notes of a plan, and back. Pure."""

import re

from exporter.findings.finding import SEVERITIES, Finding

SEPARATOR = " | "
MAX_PLACES = 200
"""Places of one line that its note names."""


def line(finding: Finding) -> str:
    """A finding as a note. See cells."""
    parts = (finding.severity, finding.message, finding.remedy)
    return SEPARATOR.join([_places(finding), *(part.replace(SEPARATOR, " / ") for part in parts)])


def _places(finding: Finding) -> str:
    """``FILE:LINE,LINE,LINE``, and so on for each file, with a semicolon between them."""
    lines: dict[str, list[str]] = {}
    for place in finding.places[:MAX_PLACES]:
        lines.setdefault(place.file, []).extend([str(place.line)] if place.line else [])
    return "; ".join(f"{file}:{','.join(numbers)}" if numbers else file for file, numbers in lines.items())


def short(places: str) -> str:
    """The places of a note as a table shows them: the first, and how many more there are."""
    first, *rest = places.split("; ")
    head, colon, numbers = first.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]+(,[0-9]+)*", numbers):
        head, numbers = first, ""
    more = numbers.count(",") + sum(1 + each.rpartition(":")[2].count(",") for each in rest)
    line = f":{numbers.partition(',')[0]}" if numbers else ""
    return f"{head}{line}" + (f" and {more} more" if more else "")


def cells(note: str) -> tuple[str, str, str, str] | None:
    """Place, severity, message and remedy of a note that line has written; None for another note."""
    parts = note.rsplit(SEPARATOR, 3)
    if len(parts) != 4 or parts[1] not in SEVERITIES:
        return None
    return parts[0], parts[1], parts[2], parts[3]
