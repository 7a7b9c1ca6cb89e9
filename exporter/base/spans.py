"""Spans of time as text for people, between times in the form of RFC 3339. Pure."""

from datetime import datetime

from exporter.base.text import parse_time
from exporter.base.units import format_duration


def ago(text: str | None, now: datetime) -> str:
    """How long ago a time of the API was, in its largest unit or two: ``12s``, ``3m``, ``2h``, ``5d``."""
    if text is None:
        return "never"
    return f"{coarse((now - parse_time(text)).total_seconds())} ago"


def ahead(text: str, now: datetime) -> str:
    """How far off a time of the API is: ``in 12s``, or ``now``."""
    seconds = (parse_time(text) - now).total_seconds()
    return f"in {coarse(seconds)}" if seconds >= 1 else "now"


def coarse(seconds: float) -> str:
    """A duration to the precision people care for: seconds below two minutes, then minutes, hours, days."""
    seconds = max(0.0, seconds)
    for below, unit in ((120, 1), (7200, 60), (172800, 3600)):
        if seconds < below:
            return format_duration(int(seconds // unit) * unit)
    return format_duration(int(seconds // 86400) * 86400)


def precise(seconds: float) -> str:
    """A duration measured: milliseconds below ten seconds, then tenths or whole seconds."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 120 else format_duration(round(seconds))


def took(start: str | None, end: str | None) -> str:
    """The time between two times of the API; a dash while one is missing."""
    if start is None or end is None:
        return "-"
    return precise((parse_time(end) - parse_time(start)).total_seconds())
