"""Which log directories of a config hold logs of each other, by whatever paths they are reached."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath

from exporter.host.mounts import Mount, upper_path
from exporter.inventory.logs import LogDirectory

_TOKEN = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)
_ANY, _ONE = "*", "?"


@dataclass(frozen=True)
class Location:
    """Where a directory is, whatever leads to it: the same through links and bind mounts.

    A directory on an overlay mount is where the overlay keeps what is written to it.
    """

    file_system: str
    """As mountinfo numbers it, with the ``st_dev`` that tells btrfs subvolumes apart."""
    path: PurePosixPath
    """Within the file system."""


@dataclass(frozen=True)
class Overlap:
    """Two log directories that share logs, by their places in the config: the later one first."""

    later: int
    earlier: int


def place_of(path: str, mounts: Sequence[Mount]) -> Location | None:
    """Where a directory is; None where it cannot be looked at. mounts: as ``parse_mountinfo`` lists them."""
    try:
        real = os.fsencode(Path(path).resolve(strict=True))
        device = Path(path).stat().st_dev
    except OSError:
        return None
    over = [mount for mount in mounts if _is_below(real, mount.mountpoint)]
    if not over:
        return None
    mount = max(over, key=lambda mount: len(mount.mountpoint))
    upper = upper_path(mount, real)
    kept = None if upper is None else place_of(os.fsdecode(upper), mounts)
    if kept is not None:
        return kept
    below = os.fsdecode(os.path.relpath(real, mount.mountpoint))
    return Location(f"{mount.number} {device}", PurePosixPath(os.fsdecode(mount.root)) / below)


def _is_below(path: bytes, mountpoint: bytes) -> bool:
    return path == mountpoint or path.startswith(mountpoint.rstrip(b"/") + b"/")


def overlaps(directories: Sequence[LogDirectory], places: Mapping[str, Location | None]) -> Iterator[Overlap]:
    """Each log directory with the first one above it in the config that rotates logs of its own too. Pure.

    places: by the directories' paths.
    """
    for later, one in enumerate(directories):
        for earlier, other in enumerate(directories[:later]):
            here, there = places.get(one.path), places.get(other.path)
            if here and there and (_covers(one, here, there) or _covers(other, there, here)) and _share(one, other):
                yield Overlap(later, earlier)
                break


def _covers(directory: LogDirectory, place: Location, other: Location) -> bool:
    """Whether the other place is this directory or one below it that is entered."""
    if place.file_system != other.file_system or not other.path.is_relative_to(place.path):
        return False
    parts = other.path.relative_to(place.path).parts
    if parts and not directory.recursive:
        return False
    return not any(fnmatchcase(part, pattern) for part in parts for pattern in directory.exclude)


def _share(one: LogDirectory, other: LogDirectory) -> bool:
    """Whether there can be a name that both take for a log."""
    return any(
        may_meet(first, second)
        for first in one.include
        for second in other.include
        if not _left_out(first, other.exclude) and not _left_out(second, one.exclude)
    )


def _left_out(pattern: str, exclude: Sequence[str]) -> bool:
    """Whether all names of a pattern are excluded, as far as that is plain: ``*`` takes whatever is written there."""
    return any(not set(left_out) & set("?[") and fnmatchcase(pattern, left_out) for left_out in exclude)


def may_meet(one: str, other: str) -> bool:
    """Whether some name can match both shell patterns. A class in brackets counts as any character."""
    first, second = _tokens(one), _tokens(other)

    @cache
    def meet(here: int, there: int) -> bool:
        if here == len(first) and there == len(second):
            return True
        if here < len(first) and first[here] == _ANY:
            return meet(here + 1, there) or (there < len(second) and meet(here, there + 1))
        if there < len(second) and second[there] == _ANY:
            return meet(here, there + 1) or (here < len(first) and meet(here + 1, there))
        if here == len(first) or there == len(second):
            return False
        same = _ONE in (first[here], second[there]) or first[here] == second[there]
        return same and meet(here + 1, there + 1)

    return meet(0, 0)


def _tokens(pattern: str) -> Sequence[str]:
    return [_ONE if len(token) > 1 else token for token in _TOKEN.findall(pattern)]
