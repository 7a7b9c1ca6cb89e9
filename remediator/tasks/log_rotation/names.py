"""The names of logs, of their rotated copies, and of work under way. Pure."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import blake2b
from itertools import count

from remediator.tasks.log_rotation.packed import has_packed_name

_NAME_MAX = 255
"""Bytes of a name on the file systems of Linux: limits.h."""
_STAMP = "%Y%m%d-%H%M%S"
_OWN = re.compile(r"(?P<base>.+)-(?P<stamp>\d{8}-\d{6})(?:-(?P<number>\d{1,4}))?(?:\.gz)?", re.DOTALL)
# logrotate's `.1`, dateext and dateext with hours or `-%s` (logrotate.conf(5)); Python's TimedRotatingFileHandler.
_FOREIGN = re.compile(
    r"(?P<base>.+?)(?:\.\d{1,5}|-\d{8}(?:\d{2})?(?:-\d{9,10})?|\.\d{4}-\d\d-\d\d(?:_\d\d(?:-\d\d){0,2})?)"
    r"(?:\.gz|\.bz2|\.xz|\.zst|\.lz4)?",
    re.DOTALL,
)
_TEMPORARY = re.compile(r"\.(?P<wanted>.+)\.upkeeper-tmp", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What the name of a rotated file says."""

    base: str
    """The name of the log that it came from."""
    own: bool
    """Named by Upkeeper, not by logrotate or the program itself."""
    compressed: bool
    stamp: float | None = None
    """When it was rotated, as a Unix time, where the name says so to the second."""
    number: int = 0
    """Orders files of one stamp."""


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


def temporary_name(wanted: str) -> str:
    """Where the file is made that gets the wanted name once it is whole."""
    name = f".{wanted}.upkeeper-tmp"
    return name if fits(name) else f".{blake2b(os.fsencode(wanted), digest_size=16).hexdigest()}.upkeeper-tmp"


def wanted_name(temporary: str) -> str | None:
    """The reverse of ``temporary_name``, but for a long name, of which it has only a digest. None for other names."""
    match = _TEMPORARY.fullmatch(temporary)
    return match["wanted"] if match else None


def parse_rotated(name: str) -> Rotated | None:
    """What a rotated file's name says; None for a name that is none."""
    compressed = has_packed_name(name)
    own = _OWN.fullmatch(name)
    if own:
        try:
            at = datetime.strptime(own["stamp"], _STAMP).replace(tzinfo=UTC).timestamp()
        except ValueError:
            at = None
        if at is not None:
            return Rotated(own["base"], True, compressed, at, int(own["number"] or 0))
    foreign = _FOREIGN.fullmatch(name)
    return Rotated(foreign["base"], False, compressed) if foreign else None


def is_log(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a file of this name may be rotated. A leading dot must be in the pattern, as in a shell."""
    if is_protected(name, exclude) or has_packed_name(name):
        return False
    return any(fnmatchcase(name, pattern) for pattern in include if name[0] != "." or pattern.startswith("."))


def is_protected(name: str, exclude: Sequence[str]) -> bool:
    """Whether a file or directory of this name is never touched."""
    return any(fnmatchcase(name, pattern) for pattern in exclude)
