"""What the name of a backup says: whether it is a temporary one, and of when the backup is."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

TEMPORARY = (".partial", ".part", ".tmp", ".temp", ".incomplete")
"""Ends of names under which programs write what is to become a set."""

_DATE = re.compile(
    r"""
    (?<!\d)
    (?P<year>(?:19|20)\d\d) (?P<dash>-?) (?P<month>\d\d) (?P=dash) (?P<day>\d\d)
    (?:
        [T_ -]?
        (?P<hour>\d\d) (?P<colon>[:_-]?) (?P<minute>\d\d)
        (?:(?P=colon) (?P<second>\d\d))?
        (?P<zone>Z|\+\d\d:?\d\d|-\d\d:\d\d)?
    )?
    (?!\d)
    """,
    re.ASCII | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class NameDate:
    """The time that a name holds: a moment, or a day of which any moment may be meant. Unix seconds, both inclusive."""

    first: float
    last: float

    def narrowed(self, moment: float) -> float:
        """The moment if it is within, else that end which is nearest to it."""
        return min(max(moment, self.first), self.last)


def date_in(name: str) -> NameDate | None:
    """The first date in a name: 2026-11-24 or 20261124, then, if at all, a time such as T020000Z, _02-00 or -020000.

    A time without a zone is the local time of this machine. None for a name without a date.
    """
    return next(_dates(name), None)


def _dates(name: str) -> Iterator[NameDate]:
    for found in _DATE.finditer(name):
        day = f"{found['year']}-{found['month']}-{found['day']}"
        clock = f"{found['hour']}:{found['minute']}:{found['second'] or '00'}{found['zone'] or ''}"
        with suppress(ValueError, OverflowError):
            if found["hour"] is not None:
                at = datetime.fromisoformat(f"{day}T{clock}").timestamp()
                yield NameDate(at, at)
        with suppress(ValueError, OverflowError):  # no time, or what follows the day is a number of another kind
            start = datetime.fromisoformat(day)
            yield NameDate(start.timestamp(), (start + timedelta(days=1)).timestamp() - 1)


def final_name(name: str) -> str | None:
    """The name that a temporary one is to become, as x.sql of x.sql.tmp; None if it is not a temporary name."""
    end = next((end for end in TEMPORARY if name.endswith(end)), None)
    return name[: -len(end)] if end is not None else None
