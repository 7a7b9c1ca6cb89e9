"""Text for people: names from outside made harmless, times in few words, a colour for each state. Pure."""

import unicodedata
from datetime import datetime

from exporter.base.text import parse_time
from exporter.base.units import format_duration

_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that move the cursor, reorder text or show nothing: controls, formats, line separators."""

STYLES = {
    "effective": "green",
    "nothing-to-do": "green",
    "planned": "cyan",
    "done": "green",
    "resolved": "green",
    "run": "green",
    "ok": "green",
    "up": "green",
    "closed": "green",
    "ineffective": "yellow",
    "skipped": "yellow",
    "partial": "yellow",
    "observe": "cyan",
    "auto": "green",
    "blocked": "yellow",
    "approve": "cyan",
    "asked": "yellow",
    "waiting": "yellow",
    "approved": "green",
    "denied": "yellow",
    "expired": "yellow",
    "superseded": "dim",
    "no-target": "yellow",
    "unmatched": "dim",
    "cancelled": "yellow",
    "warning": "yellow",
    "critical": "red",
    "info": "dim",
    "failed": "red",
    "firing": "red",
    "pending": "yellow",
    "open": "red",
    "down": "red",
    "running": "cyan",
}
"""The colour of a state, outcome, verdict or level of autonomy. The word is always shown too."""


def safe(text: str) -> str:
    """The text on one line, with what a terminal would obey written out: ``\\x1b``, ``\\u202e``.

    Names come from logs, containers and alerts, so anybody may have chosen them.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _HARMFUL else char for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


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


def local(text: str | None) -> str:
    """A time of the API in this machine's own time zone, to the second; a dash for none."""
    return "-" if text is None else parse_time(text).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
