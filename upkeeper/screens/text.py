"""Text for people: a colour for each state, times. Pure."""

from exporter.base.text import parse_time

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


def local(text: str | None) -> str:
    """A time of the API in this machine's own time zone, to the second; a dash for none."""
    return "-" if text is None else parse_time(text).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
