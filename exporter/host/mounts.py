"""The mounted file systems, from ``/proc/self/mountinfo`` or where UPKEEPER_MOUNTINFO says. Its format:
proc_pid_mountinfo(5).
"""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MOUNTINFO = Path(os.environ.get("UPKEEPER_MOUNTINFO") or "/proc/self/mountinfo")
"""A service in a mount namespace of its own, where nearly all is read-only, is told to read that of process 1."""

_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount. Names are bytes, since they need not be text."""

    mountpoint: bytes
    device: bytes
    """The source, such as ``/dev/sda1`` or ``server:/export``."""
    fstype: str
    number: str
    """``major:minor``, the same for all mounts of one file system."""
    root: bytes
    """The directory of the file system that is mounted; ``/`` unless it is a bind mount or a subvolume."""
    mount_id: int = field(default=-1, compare=False)
    """Names this mount, as long as it lasts."""
    readonly: bool = field(default=False, compare=False)
    """The mount, or the whole file system."""
    upper: bytes | None = field(default=None, compare=False)
    """Where an overlay keeps what was written to it, as whoever mounted it gave the path; None for all others."""


def parse_mountinfo(text: bytes) -> list[Mount]:
    """Mounts that can be reached, in the order in which they were made. Lines of another form are left out.

    Of several mounts on one mount point only the last one can be reached.
    """
    visible: dict[bytes, Mount] = {}
    for line in text.split(b"\n"):
        left, separator, right = line.partition(b" - ")
        before, after = left.split(b" "), right.split(b" ")
        if not separator or len(before) < 6 or len(after) < 2:
            continue
        mountpoint = _unescape(before[4])
        visible.pop(mountpoint, None)
        visible[mountpoint] = Mount(
            mountpoint=mountpoint,
            device=_unescape(after[1]),
            fstype=after[0].decode("ascii", "replace"),
            number=before[2].decode("ascii", "replace"),
            root=_unescape(before[3]),
            mount_id=int(before[0]) if before[0].isdigit() else -1,
            readonly=b"ro" in [*before[5].split(b","), *(after[2].split(b",") if len(after) > 2 else [])],
            upper=_upper(after),
        )
    return list(visible.values())


def one_each(mounts: Iterable[Mount], wanted: Collection[bytes] = ()) -> list[Mount]:
    """One mount of each file system, else a bind mount would raise the same alert again.

    It is the one that shows the most of it, then the one with the shortest path. Mount points in ``wanted`` stay.
    """
    best: dict[tuple[str, bytes, str], Mount] = {}
    others: list[Mount] = []
    for mount in sorted(mounts, key=lambda mount: (len(mount.root), len(mount.mountpoint), mount.mountpoint)):
        chosen = best.setdefault((mount.number, mount.device, mount.fstype), mount)
        if chosen is not mount and mount.mountpoint in wanted:
            others.append(mount)
    return sorted([*best.values(), *others], key=lambda mount: mount.mountpoint)


def mount_of(mounts: Iterable[Mount], path: bytes) -> Mount | None:
    """The mount that a path lies on: the one with the longest mount point above it. Pure.

    path: absolute, without symbolic links. By name and not by ``st_dev``, which btrfs gives each subvolume separately.
    """
    above = [mount for mount in mounts if _as_prefix(path).startswith(_as_prefix(mount.mountpoint))]
    return max(above, key=lambda mount: len(mount.mountpoint), default=None)


def upper_path(mount: Mount, path: bytes) -> bytes | None:
    """Where an overlay keeps what is written to this path on it; None for what lies on no overlay. Pure.

    The path is one of whoever mounted it, and need not lead there from here. A relative one cannot be followed: None.
    """
    if mount.upper is None or not mount.upper.startswith(b"/"):
        return None
    return os.path.normpath(b"/".join((mount.upper, mount.root, os.path.relpath(path, mount.mountpoint))))


def _as_prefix(path: bytes) -> bytes:
    return path.rstrip(b"/") + b"/"


def _upper(after: Sequence[bytes]) -> bytes | None:
    options = after[2].split(b",") if after[0] == b"overlay" and len(after) > 2 else []
    found = [option.removeprefix(b"upperdir=") for option in options if option.startswith(b"upperdir=")]
    return _unescape(found[0]) if found else None


def _unescape(field: bytes) -> bytes:
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field)
