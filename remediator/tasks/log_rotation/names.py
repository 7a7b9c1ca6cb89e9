"""The names of logs, of their rotated copies, and of work under way. Pure, but for the time zone of the process."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from hashlib import blake2b
from itertools import count
from typing import Literal, NamedTuple

from remediator.tasks.log_rotation.packed import has_packed_name

_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_NAME_MAX = 255
"""Bytes of a name on the file systems of Linux: limits.h."""
_DIGITS = frozenset("0123456789")
_STAMP = "%Y%m%d-%H%M%S"
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".lz4")
_OWN = re.compile(r"(?P<base>.+)-(?P<stamp>\d{8}-\d{6})(?:-(?P<number>\d{1,4}))?", re.DOTALL | re.ASCII)
_GENERATION_DIGITS = 5
# logrotate's dateext, with hours or `-%s` (logrotate.conf(5)); Python's TimedRotatingFileHandler.
_DATED = re.compile(
    r"(?P<base>.+?)(?:-(?P<day>\d{8})(?P<hour>\d{2})?(?:-(?P<epoch>\d{9,10}))?"
    r"|\.(?P<date>\d{4}-\d\d-\d\d)(?:_(?P<time>\d\d(?:-\d\d){0,2}))?)",
    re.DOTALL | re.ASCII,
)
_TEMPORARY = re.compile(
    r"\.(?P<token>[0-9a-z]+-\d+)\.(?P<subject>[0-9a-f]{16})\.(?P<work>copy|gone|named|pack|swap)\.upkeeper-tmp",
    re.ASCII,
)
_EARLIER = re.compile(r"\.(?P<wanted>.+)\.upkeeper-tmp", re.DOTALL)
"""As the build of November 2026 named it."""

Work = Literal["copy", "gone", "named", "pack", "swap"]
"""``copy``: of a log; ``gone``: what is about to be deleted; ``named``: the note of which rotated file the copy became,
where a file cannot have two names; ``pack``: a rotated file, compressed; ``swap``: the empty file that takes a log's
place.
"""


class Rotated(NamedTuple):
    """What the name of a rotated file says."""

    base: str
    """The name of the log that it came from."""
    own: bool
    """Named by Upkeeper, not by logrotate or the program itself."""
    compressed: bool
    stamp: float | None = None
    """When it was rotated, as a Unix time, where the name says so. Of a day or an hour it is the end."""
    unit: float = 0.0
    """Seconds by which the rotation may have been earlier than ``stamp``: the name's day, hour or minute."""
    number: int = 0
    """Orders files of one stamp: more is newer."""
    generation: int | None = None
    """What logrotate's ``.1``, ``.2`` count: more is older."""


def rotated_name(base: str, at: float, *, compressed: bool) -> str:
    """``app.log-20250131-235959``, in UTC, with ``.gz`` when compressed."""
    return f"{base}-{datetime.fromtimestamp(at, UTC).strftime(_STAMP)}{'.gz' if compressed else ''}"


def variants(name: str) -> Iterator[str]:
    """The name, and where it is taken the same with ``-1``, ``-2`` ... before any ``.gz``."""
    stem, packed = (name.removesuffix(".gz"), ".gz") if name.endswith(".gz") else (name, "")
    yield name
    for number in count(1):
        if number > 9999:
            return
        yield f"{stem}-{number}{packed}"


def fits(name: str) -> bool:
    """Whether file systems take a name as long as this one."""
    return len(os.fsencode(name)) <= _NAME_MAX


def temporary_name(token: str, work: Work, subject: str) -> str:
    """Where a file is made that gets its name once it is whole.

    token: no other action's. subject: the name of the log or rotated file that is worked on, which may be as long as
    names can be.
    """
    return f".{token}.{_digest(subject)}.{work}.upkeeper-tmp"


def gone_name(inode: int, subject: str) -> str:
    """What a file is called right before it is deleted. Says which file that is, should another one have the name."""
    return temporary_name(f"{inode}-0", "gone", subject)


def is_gone(temporary: str, inode: int) -> bool:
    """Whether this is the file that was about to be deleted under this name."""
    match = _TEMPORARY.fullmatch(temporary)
    return match is not None and match["work"] == "gone" and match["token"] == f"{inode}-0"


def note_name(temporary: str, log: str) -> str:
    """The note (leftovers.py) beside the temporary name of a log's copy."""
    match = _TEMPORARY.fullmatch(temporary)
    return temporary_name(match["token"] if match else "0-0", "named", log)


def copy_name(note: str) -> str:
    """The temporary name of a copy that has this note."""
    return note.removesuffix(".named.upkeeper-tmp") + ".copy.upkeeper-tmp"


def is_for(temporary: str, work: Work, subject: str) -> bool:
    """Whether a temporary file is of this work on this log or rotated file."""
    match = _TEMPORARY.fullmatch(temporary)
    if match:
        return match["work"] == work and match["subject"] == _digest(subject)
    wanted = earlier_wanted_name(temporary)
    if wanted is None or work == "named":
        return False
    if work == "pack":
        return wanted == f"{subject}.gz"
    rotated = parse_rotated(wanted)
    return wanted == subject if work == "swap" else rotated is not None and rotated.own and rotated.base == subject


def _digest(subject: str) -> str:
    return blake2b(subject.encode(_ENCODING, _ERRORS), digest_size=8).hexdigest()


def earlier_temporary_name(wanted: str) -> str:
    """The same in the build of November 2026: one name for everybody who made ``wanted``."""
    return f".{wanted}.upkeeper-tmp"


def earlier_wanted_name(temporary: str) -> str | None:
    """The reverse of ``earlier_temporary_name``; None for any other name."""
    match = None if _TEMPORARY.fullmatch(temporary) else _EARLIER.fullmatch(temporary)
    return match["wanted"] if match else None


def work_of(name: str) -> Work | None:
    """What a temporary file is for, by its name; None for any other name."""
    if not name.endswith(".upkeeper-tmp"):
        return None
    match = _TEMPORARY.fullmatch(name)
    if match:
        return match["work"]  # type: ignore[return-value]
    wanted = earlier_wanted_name(name)
    if wanted is None:
        return None
    return "copy" if parse_rotated(wanted) else "swap"


def parse_rotated(name: str) -> Rotated | None:
    """What a rotated file's name says; None for a name that is none."""
    compressed = name.endswith(_PACKED)
    stem = name[: name.rindex(".")] if compressed else name
    if stem[-1:] not in _DIGITS:
        return None
    base, _, generation = stem.rpartition(".")
    if base and len(generation) <= _GENERATION_DIGITS and generation.isascii() and generation.isdecimal():
        return Rotated(base, False, compressed, None, 0.0, 0, int(generation))
    if (match := _OWN.fullmatch(stem)) and (not compressed or name.endswith(".gz")):
        at = _moment(match["stamp"], _STAMP, UTC)
        if at is not None:
            return Rotated(match["base"], True, compressed, at, number=int(match["number"] or 0))
    match = _DATED.fullmatch(stem)
    return _dated(match, compressed) if match else None


def _dated(match: re.Match[str], compressed: bool) -> Rotated | None:
    """None where the digits are no date."""
    base, epoch = match["base"], match["epoch"]
    if epoch:
        return Rotated(base, False, compressed, float(epoch))
    if match["day"]:
        text, pattern = match["day"] + (match["hour"] or ""), "%Y%m%d%H" if match["hour"] else "%Y%m%d"
        unit = timedelta(hours=1) if match["hour"] else timedelta(days=1)
    else:
        time = match["time"] or ""
        text = f"{match['date']}_{time}" if time else match["date"]
        pattern = {0: "%Y-%m-%d", 2: "%Y-%m-%d_%H", 5: "%Y-%m-%d_%H-%M", 8: "%Y-%m-%d_%H-%M-%S"}[len(time)]
        unit = {0: timedelta(days=1), 2: timedelta(hours=1), 5: timedelta(minutes=1), 8: timedelta()}[len(time)]
    # These programs name a file by the local time, and by the start of the time that it holds.
    end = _moment(text, pattern, None, unit)
    return None if end is None else Rotated(base, False, compressed, end, unit.total_seconds())


def _moment(text: str, pattern: str, zone: tzinfo | None, later: timedelta = timedelta()) -> float | None:
    """A Unix time; None where the digits are no date."""
    try:
        return (datetime.strptime(text, pattern).replace(tzinfo=zone) + later).timestamp()
    except (ValueError, OverflowError):
        return None


def is_log(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a file of this name may be rotated. A leading dot must be in the pattern, as in a shell."""
    if is_protected(name, exclude) or has_packed_name(name):
        return False
    return any(fnmatchcase(name, pattern) for pattern in include if name[0] != "." or pattern.startswith("."))


def is_protected(name: str, exclude: Sequence[str]) -> bool:
    """Whether a file or directory of this name is never touched."""
    return bool(exclude) and any(fnmatchcase(name, pattern) for pattern in exclude)
