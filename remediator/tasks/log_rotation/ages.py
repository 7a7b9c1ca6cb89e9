"""How old logs and rotated files are, from plausible times. Pure.

A machine whose clock was not set yet writes files of 1970 or 2000, and one whose clock was wrong files of the future.
Such a time is ignored: it must neither delete a file nor hold up others.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from remediator.tasks.log_rotation.scan import Copy, Log

_EARLIEST = datetime(2000, 1, 2, tzinfo=UTC).timestamp()
"""Clocks without a battery begin in 1970, 1980 or on the first day of 2000."""
_UNUSED = 2 * 366 * 86400.0
"""Seconds in which nothing happened to any file here: then rather a clock has leapt."""
_AHEAD = 86400.0
"""Seconds by which a time may be ahead: clocks are corrected, and some file systems keep local time."""


class Aged(NamedTuple):
    """A rotated file in its order of age: these sort as tuples, the oldest first."""

    place: float
    """A Unix time to sort by; 0 for a file without a plausible time, unless its count says more."""
    number: int
    newness: int
    turn: int
    at: float | None
    """When it was rotated, by its name, or was written to last; None if neither is plausible."""
    copy: Copy


def by_age(copies: Iterable[Copy], now: float) -> list[Aged]:
    """The rotated files of one log, oldest first.

    A file without a plausible time is older than all others, unless logrotate's count in its name says that it is
    newer than one that has such a time.
    """
    aged = []
    for index, copy in enumerate(copies):
        at = rotated_at(copy, now)
        aged.append(Aged(at or 0.0, copy.number, -(copy.generation or 0), index, at, copy))
    if any(one.at is None for one in aged):
        last = 0.0
        for one in sorted((one for one in aged if one.newness), key=lambda one: one.newness):
            if one.at is None:
                aged[one.turn] = one._replace(place=last)
            last = aged[one.turn].place
    aged.sort()
    return aged


def rotated_at(copy: Copy, now: float) -> float | None:
    """When a file was rotated, by its name, or was written to last; None if neither is plausible.

    The later of the two: a program may go on writing to a file that was renamed.
    """
    at, stamp = copy.mtime_ns / 1e9, copy.stamp
    known = _EARLIEST <= at <= now + _AHEAD
    if stamp is not None and _can_be(stamp - copy.unit, now):
        at, known = max(at, stamp) if known else stamp, True
    if not known:
        return None
    return at if at < now else now


def begun_anew(copy: Copy, now: float) -> float | None:
    """When a rotation emptied the log that a rotated file came from; None if nothing plausible tells.

    By its name where that says so: a program that goes on writing to the renamed file begins no new log by that.
    """
    if copy.stamp is not None and _can_be(copy.stamp - copy.unit, now):
        return min(copy.stamp, now)
    return rotated_at(copy, now)


def oldest_line(log: Log, rotations: Iterable[float | None], now: float) -> float | None:
    """A Unix time before which nothing in the log was written; None where nothing tells.

    That is when the file was made or was last rotated, whichever is later; a file system that does not tell the first,
    for a log without the second, leaves only the last write. rotations: when each rotation emptied it.
    """
    written = log.file.mtime_ns / 1e9
    times = [time for time in rotations if time is not None]
    if log.born is not None and _can_be(log.born, now):
        # A restored file is newer than its content.
        times.append(min(log.born, written) if _can_be(written, now) else log.born)
    if not times and _can_be(written, now):
        times.append(written)
    return min(max(times), now) if times else None


def before_a_leap(logs: Iterable[Log], copies: Iterable[Copy], now: float) -> float | None:
    """The last time at which something happened here before years in which nothing did; None without such years.

    A clock that shows 2100 makes all that was there before it expire. What nobody can set, the time of a file's last
    change, tells the years in which a directory was in use.
    """
    times = {copy.ctime_ns // 1_000_000_000 for copy in copies} | {log.file.mtime_ns // 1_000_000_000 for log in logs}
    last = now
    for time in sorted((time for time in times if time <= now + _AHEAD), reverse=True):
        if last - time > _UNUSED:
            return float(time)
        last = time
    return None


def _can_be(time: float, now: float) -> bool:
    return _EARLIEST <= time <= now + _AHEAD
