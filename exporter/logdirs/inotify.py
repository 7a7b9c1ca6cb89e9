"""inotify(7): what changed in directories, as the kernel tells it.

Our own few lines, since watchfiles, which is here anyway, passes over a queue that overflowed (samuelcolvin/watchfiles
issue 348), and the small wrappers on PyPI look for libc by starting programs and read without a bound.
"""

import ctypes
import os
import struct
from dataclasses import dataclass

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
UNMOUNT, OVERFLOW, IGNORED = 0x2000, 0x4000, 0x8000
ISDIR = 0x4000_0000

_ONLYDIR = 0x0100_0000
_EXCL_UNLINK = 0x0400_0000
_CHANGES = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
_EVENT = struct.Struct("=iIII")
_BUFFER = 64 * 1024
_READS = 64
"""The kernel's queue holds 16,384 events as shipped, less than this many reads of them."""

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a watched directory, or to what it has under a name."""

    watch: int
    mask: int
    name: str
    """Empty for the directory itself."""


class Inotify:
    """Watches of directories. An open one pins no mount: a file system can be unmounted under it."""

    def __init__(self) -> None:
        """Raises OSError where the user has as many of these as may be (fs.inotify.max_user_instances)."""
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def watch(self, directory: int, *, writes: bool = True) -> int:
        """Watches an open directory, and not what is below it. Returns the number that its events have.

        writes: whether to tell of each write to a file in it.
        Raises OSError where the user watches as much as may be (fs.inotify.max_user_watches).
        """
        path = b"/proc/self/fd/%d" % directory
        wanted = _CHANGES if writes else _CHANGES & ~MODIFY
        return _checked(_libc.inotify_add_watch(self._fd, path, wanted | _ONLYDIR | _EXCL_UNLINK))

    def forget(self, watch: int) -> None:
        """Ends a watch; one that ended by itself is no error."""
        _libc.inotify_rm_watch(self._fd, watch)

    def events(self) -> list[Event]:
        """What happened since the last call, oldest first. More than can be read at once ends in an OVERFLOW."""
        found: list[Event] = []
        for _ in range(_READS):
            try:
                data = os.read(self._fd, _BUFFER)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size
                name = data[at : at + length].rstrip(b"\0")
                at += length
                found.append(Event(watch, mask, os.fsdecode(name)))
        return [*found, Event(-1, OVERFLOW, "")]

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            self.close()


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
