"""What dpkg did to packages, whoever asked it to: from its log and the rotated ones beside it."""

import gzip
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, tzinfo
from pathlib import Path
from typing import IO, cast

from exporter.base.units import format_bytes

LOG = Path("/var/log/dpkg.log")
MOST_BYTES = 4 * 2**20
"""That are read of one file, unpacked: a month of a busy machine has a tenth of it."""
MOST_FILES = 13
"""logrotate keeps twelve months beside the one that is written."""
MOST_ENTRIES = 20_000
_NONE = "<none>"
_DOES = {b"upgrade": "upgrade", b"install": "install", b"remove": "remove", b"disappear": "remove"}
"""A purge takes what a removal has left, configuration files; dpkg logs that removal before it."""
IN_DOCKER = Path("/.dockerenv")

Entry = Mapping[str, str]
"""As a row of a task for packages: ``package``, ``does``, ``installed``, ``candidate``."""


def of_host() -> Path | None:
    """Where the log of this host is; None in a container, whose own packages are not the host's."""
    return None if IN_DOCKER.exists() else LOG


def read_log(path: Path, since: float, until: float) -> tuple[Sequence[Entry], str]:
    """What was done in a span of time (Unix seconds), oldest first, and what could not be read, or an empty text.

    A machine without dpkg has no such log, and nothing to tell. Blocks; raises nothing.
    """
    found: list[Entry] = []
    problem = ""
    for file in _files(path, since):
        try:
            lines, whole = _lines(file)
            found += entries(lines, since, until)
        except (OSError, EOFError, zlib.error) as error:
            problem = f"{file} cannot be read: {getattr(error, 'strerror', None) or error}"
        else:
            if not whole:
                problem = f"of {file} only {format_bytes(MOST_BYTES)} were read"
        if len(found) > MOST_ENTRIES:
            return found[:MOST_ENTRIES], f"{path} has more than {MOST_ENTRIES} changes"
    return found, problem


def entries(lines: Sequence[bytes], since: float, until: float, zone: tzinfo | None = None) -> Iterator[Entry]:
    """The changes among the lines of a log. zone: in which its times are meant; None: that of the machine. Pure.

    ``DATE TIME upgrade|install|remove|disappear NAME:ARCHITECTURE OLD NEW``, as dpkg(1) has them under ``--log``.
    """
    for line in lines:
        words = line.split()
        if len(words) != 6 or words[2] not in _DOES:
            continue
        _, _, action, name, old, new = (word.decode("utf-8", "replace") for word in words)
        at = _seconds(words[0], words[1], zone)
        if at is None or not since <= at < until:
            continue
        yield {
            "package": name,
            "does": _DOES[words[2]],
            # Before an installation the old version is that of configuration files which a removal left.
            "installed": "" if action == "install" or old == _NONE else old,
            "candidate": "" if new == _NONE else new,
        }


def _seconds(date: bytes, time: bytes, zone: tzinfo | None) -> float | None:
    try:
        at = datetime.fromisoformat(f"{date.decode()} {time.decode()}")
        return (at if zone is None else at.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return None


def _files(path: Path, since: float) -> Sequence[Path]:
    """The log and its rotated ones that were written to since then, the oldest first."""
    names = [path]
    for number in range(1, MOST_FILES):
        names += [path.with_name(f"{path.name}.{number}"), path.with_name(f"{path.name}.{number}.gz")]
    found = []
    for name in names:
        try:
            at = name.stat().st_mtime
        except OSError:
            continue
        if at >= since:
            found.append((at, name))
    return [name for _, name in sorted(found)]


def _lines(path: Path) -> tuple[Sequence[bytes], bool]:
    """The lines of a log, and whether it is all of them: the newest of a plain one, the oldest of a packed one."""
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("rb"))
        if path.suffix == ".gz":
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=raw))
            content = cast(IO[bytes], unpacked).read(MOST_BYTES + 1)
            return content[:MOST_BYTES].splitlines(), len(content) <= MOST_BYTES
        size = os.fstat(raw.fileno()).st_size
        raw.seek(max(0, size - MOST_BYTES))
        return raw.read(MOST_BYTES).splitlines(), size <= MOST_BYTES
