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
    (?P<year>(?:19|20)\d\d) (?P<dash>[-_.]?) (?P<month>\d\d) (?P=dash) (?P<day>\d\d)
    (?:
        (?:(?P<t>T)|[_ -]?)
        (?!(?:19|20)\d\d(?P<other>[-_.])\d\d(?P=other)\d\d(?!\d))  # another date, whose year looks like a time
        (?P<hour>\d\d) (?P<colon>[:_.-]?) (?P<minute>\d\d)
        (?:(?P=colon) (?P<second>\d\d) (?:\d{3}){0,3})?
    )?
    (?!\d)
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)

# A dash or underscore instead of the dot, as in what JavaScript's toISOString becomes in a name.
_FRACTION = r"(?P<fraction>(?:[.,]\d{1,9}|[_-]\d{3,9})(?!\d))?"
_HOURS, _MINUTES = r"(?P<hours>0\d|1[0-4])", r"(?P<minutes>00|15|30|45)"
_ZONE = re.compile(
    rf"""
    {_FRACTION}
    (?:
        [_ -]? (?P<utc>UTC|GMT) (?![a-z0-9]|[+-]\d)
        | (?P<z>Z) (?![a-z0-9])
        | (?:[_ ]?|[_ -]?(?:UTC|GMT)) (?P<sign>[+-]) {_HOURS} (?: (?P<colon>[:_.-]?) {_MINUTES})? (?!\d)
    )
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
"""What follows the seconds, where it says a zone."""


@dataclass(frozen=True, slots=True)
class NameDate:
    """The time that a name holds: a moment, or a day of which any moment may be meant. Unix seconds, both inclusive."""

    first: float
    last: float

    def narrowed(self, moment: float) -> float:
        """The moment if it is within, else that end which is nearest to it."""
        return min(max(moment, self.first), self.last)


def date_in(name: str) -> NameDate | None:
    """The date in a name: 2026-11-24 or 20261124, or with other marks between, and then, if at all, a time.

    A time is such as T020000Z, _02-00 or -02.00.00; one without a zone is the local time of this machine. Of several
    dates one with a time is taken before others, then one that cannot be a version, then the last. None for a name
    without a date.
    """
    found = max(_dates(name), key=lambda each: each[0], default=None)
    return found[1] if found is not None else None


def _dates(name: str) -> Iterator[tuple[tuple[bool, bool, int], NameDate]]:
    """Each with what it is preferred by: that it has a time, that it cannot be a version, and where it is."""
    for found in _DATE.finditer(name):
        if _is_version(found):
            continue
        rank = (found["dash"] != ".", found.start())
        day = f"{found['year']}-{found['month']}-{found['day']}"
        with suppress(ValueError, OverflowError):
            if _has_time(found):
                clock = f"{found['hour']}:{found['minute']}:{found['second'] or '00'}"
                at = datetime.fromisoformat(f"{day}T{clock}{_zone_after(found)}").timestamp()
                yield (True, *rank), NameDate(at, at)
        with suppress(ValueError, OverflowError):  # no time, or what follows the day is a number of another kind
            start = datetime.fromisoformat(day)
            yield (False, *rank), NameDate(start.timestamp(), (start + timedelta(days=1)).timestamp() - 1)


def _is_version(date: re.Match[str]) -> bool:
    """Whether it is surely one, as v2026.11.24 or 2026.11.24.1: there are programs whose versions are dates."""
    before, after = date.string[: date.start()], date.string[date.end("day") :]
    return date["dash"] == "." and (before.lower().endswith(("v", ".")) or re.match(r"\.\d", after) is not None)


def _has_time(date: re.Match[str]) -> bool:
    """Whether a time follows the day. One dot between two numbers is more likely that of a version, as in -10.11."""
    return date["hour"] is not None and (date["colon"] != "." or date["t"] is not None or date["second"] is not None)


def _zone_after(time: re.Match[str]) -> str:
    """The zone that follows a time, in ISO 8601; empty for local time. The fraction of a second is dropped."""
    found = _ZONE.match(time.string, time.end())
    if found is None or (found["fraction"] and not time["second"]):
        return ""
    if found["sign"] is None:
        return "+00:00"
    return "" if _is_number(time, found) else f"{found['sign']}{found['hours']}:{found['minutes'] or '00'}"


def _is_number(time: re.Match[str], zone: re.Match[str]) -> bool:
    """Whether what looks like a zone west of Greenwich may be a number, as in db-20261124-0200-0100.sql.

    It is a zone beside a colon, after the T of ISO 8601, and after a gap or a word: nobody numbers files so.
    """
    between = zone.string[max(zone.start(), zone.end("fraction")) : zone.start("sign")]
    beside_colon = ":" in (time["colon"], zone["colon"])
    return zone["sign"] == "-" and not (between or beside_colon or (time["t"] and zone["minutes"]))


def final_name(name: str) -> str | None:
    """The name that a temporary one is to become, as x.sql of x.sql.tmp; None if it is not a temporary name."""
    end = next((end for end in TEMPORARY if name.endswith(end)), None)
    return name[: -len(end)] if end is not None else None
