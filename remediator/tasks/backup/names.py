"""How sets are named. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime

PARTIAL = ".partial"
"""Ends the name of a set that is being made: no reader takes it for whole."""


def set_name(pattern: str, now: float, taken: Callable[[str], bool]) -> str:
    """The name of a new set: the pattern with the time, in UTC and whole seconds, in place of its ``*``.

    taken: whether there is a set of a name; then it is the next second that has none.
    """
    second = int(now)
    while taken(name := pattern.replace("*", _stamp(second))):
        second += 1
    return name


def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H%M%SZ")
