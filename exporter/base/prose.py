"""Log lines as sentences, for whoever watches a terminal. Pure but for the clock of the line itself."""

from collections.abc import Iterable

import structlog
from structlog.typing import EventDict, WrappedLogger

_REASONS = ("reason", "error", "detail")
"""Keys whose value says why; it follows the event after a colon."""

_HEAD = ("timestamp", "level", "logger", "event", "exception", "stack", "exc_info")

_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_DIM, _RESET = "\x1b[2m", "\x1b[0m"


class Prose:
    """A structlog renderer: ``2026-11-27 07:59:06  exporter    warning: probe failed: no answer (target n8n)``.

    colours: whether the terminal shows them; a level is always told in words too.
    """

    def __init__(self, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict) -> str:
        level = str(line.get("level", "info"))
        package, _, rest = str(line.get("logger", "")).partition(".")
        part = "up" if rest.startswith("up.") else package
        grave = level in _COLOURS
        words = f"{f'{level}: ' if grave else ''}{sentence(line)}"
        head = f"{line.get('timestamp', '')}  {part:<10} "
        if self._colours:
            head = f"{_DIM}{head}{_RESET}"
            words = f"{_COLOURS[level]}{words}{_RESET}" if grave else words
        return "\n".join([f"{head} {words}", *_below(line)])


def sentence(line: EventDict) -> str:
    """The event with its reason and, in brackets, what else is known of it."""
    why = next((key for key in _REASONS if line.get(key)), None)
    rest = [
        f"{key.replace('_', ' ')} {value}"
        for key, value in line.items()
        if key not in _HEAD and key != why and value not in (None, "")
    ]
    reason = f": {line[why]}" if why is not None else ""
    brackets = f" ({', '.join(rest)})" if rest else ""
    return f"{line.get('event', '')}{reason}{brackets}"


def _below(line: EventDict) -> Iterable[str]:
    """Tracebacks, as they are."""
    return [str(line[key]) for key in ("stack", "exception") if line.get(key)]


def local_time() -> structlog.processors.TimeStamper:
    """The time as the clock on the wall shows it."""
    return structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False)
