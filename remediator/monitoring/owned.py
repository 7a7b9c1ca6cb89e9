"""Files that Upkeeper writes among those of a person: known by their first line, and never one that he has changed."""

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exporter.base.errors import UpkeeperError
from exporter.base.replace_file import replace_file

MAX_BYTES = 4 * 1024**2
"""Of a file that is looked at."""
READABLE = 0o644
"""Prometheus runs as another user, and nothing in these files is secret."""

_MARK = b"# Written by Upkeeper (monitoring-setup), sha256 "
_REST = b" of what follows. Once you change it, it is yours and left alone.\n"

Whose = Literal["absent", "ours", "theirs"]


class FileInTheWay(UpkeeperError):
    """What is there is not what the plan saw, or cannot be looked at."""


@dataclass(frozen=True)
class Seen:
    """What is at a path. digest: of its content; empty where there is none."""

    whose: Whose
    digest: str = ""
    content: bytes = b""


def marked(content: bytes) -> bytes:
    """The content as Upkeeper writes it."""
    return _MARK + hashlib.sha256(content).hexdigest().encode() + _REST + content


def look(path: Path) -> Seen:
    """Blocks. Whatever is no plain file, or cannot be read, is a person's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Seen("absent")
    except OSError:
        return Seen("theirs")
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Seen("theirs")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return Seen("theirs")
    return Seen("ours" if _is_ours(content) else "theirs", hashlib.sha256(content).hexdigest(), content)


def _is_ours(content: bytes) -> bool:
    first, _, rest = content.partition(b"\n")
    return first + b"\n" + rest == marked(rest)


@dataclass(frozen=True)
class Change:
    """A file to be as ``content`` has it; None: to be gone. digest: of what the plan saw there; empty for nothing."""

    path: Path
    content: bytes | None
    digest: str


def require_unchanged(changes: Sequence[Change]) -> None:
    """Raises FileInTheWay where anything is not what the plan saw, nor what it is to become."""
    for change in changes:
        seen = look(change.path)
        if seen.whose == "theirs":
            raise FileInTheWay(f"{change.path} is not Upkeeper's; it is left alone")
        if seen.digest != change.digest and not _done(seen, change):
            raise FileInTheWay(f"{change.path} has changed since it was planned; plan again")


def write(changes: Sequence[Change]) -> Sequence[Change]:
    """Does what is not done yet. What undoes it, in order. Raises FileInTheWay, and OSError with all undone."""
    require_unchanged(changes)
    undo: list[Change] = []
    try:
        for change in changes:
            seen = look(change.path)
            if _done(seen, change):
                continue
            _put(change.path, change.content)
            after = "" if change.content is None else hashlib.sha256(change.content).hexdigest()
            undo.insert(0, Change(change.path, seen.content if seen.whose != "absent" else None, after))
    except OSError:
        write(undo)
        raise
    return undo


def _done(seen: Seen, change: Change) -> bool:
    return seen.whose == "absent" if change.content is None else seen.content == change.content


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        replace_file(path, content, mode=READABLE, durable=True)
