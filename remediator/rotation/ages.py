"""How old logs and rotated files are, from times that can be. Pure.

A machine whose clock was not set yet writes files of 1970 or 2000, and one whose clock was wrong files of the future.
Such a time says nothing, and must neither delete a file nor keep others from their turn.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from remediator.rotation.scan import Copy, Log

_EARLIEST = datetime(2000, 1, 2, tzinfo=UTC).timestamp()
"""Clocks without a battery begin in 1970, 1980 or on the first day of 2000."""
_AHEAD = 86400.0
"""Seconds by which a time may be ahead: clocks are corrected, and some file systems keep local time."""


def rotated_at(copy: Copy, now: float) -> float | None:
    """When a file was rotated, by its name, or was written to last; None where neither can be.

    The later of the two: a program may go on writing to a file that was renamed.
    """
    stamp, written = copy.name.stamp, copy.file.identity.mtime_ns / 1e9
    times = [written] if _can_be(written, now) else []
    if stamp is not None and _can_be(stamp - copy.name.unit, now):
        times.append(stamp)
    return min(max(times), now) if times else None


def places(copies: Collection[Copy], times: Mapping[str, float | None]) -> dict[str, tuple[float, int, int]]:
    """Keys by path that sort rotated files of one log, and of several: the oldest first. times: ``rotated_at`` of each.

    A file without a time that can be is older than all others, unless logrotate's count in its name says that it is
    newer than one that has such a time.
    """
    found = {copy.file.path: times[copy.file.path] for copy in copies}
    counted = [copy for copy in copies if copy.name.generation is not None]
    if None in found.values():
        last: float | None = None
        for copy in sorted(counted, key=lambda copy: copy.name.generation or 0, reverse=True):
            if found[copy.file.path] is None:
                found[copy.file.path] = last
            last = found[copy.file.path]
    return {
        copy.file.path: (found[copy.file.path] or 0.0, copy.name.number, -(copy.name.generation or 0))
        for copy in copies
    }


def oldest_line(log: Log, rotations: Iterable[float | None], now: float) -> float | None:
    """A Unix time before which nothing in the log was written; None where nothing tells.

    That is when the file was made or was last rotated, whichever is later; a file system that does not tell the first,
    for a log without the second, leaves only the last write. rotations: ``rotated_at`` of its rotated files.
    """
    written = log.file.identity.mtime_ns / 1e9
    times = [time for time in rotations if time is not None]
    if log.born is not None and _can_be(log.born, now):
        # A restored file is younger than its content.
        times.append(min(log.born, written) if _can_be(written, now) else log.born)
    if not times and _can_be(written, now):
        times.append(written)
    return min(max(times), now) if times else None


def _can_be(time: float, now: float) -> bool:
    return _EARLIEST <= time <= now + _AHEAD
