"""Text for people: names from outside made harmless, a colour for each state. Pure."""

import unicodedata

from exporter.base.text import parse_time

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
    "no-host": "yellow",
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
    "well": "green",
    "left-out": "yellow",
    "stopped": "red",
    "stopping": "red",
    "cancelling": "yellow",
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


def local(text: str | None) -> str:
    """A time of the API in this machine's own time zone, to the second; a dash for none."""
    return "-" if text is None else parse_time(text).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
