"""Small files, which are read to see whether they hold anything at all."""

import os
import stat
from itertools import chain

from exporter.backups.empty_files import LARGEST, LARGEST_BLANK, holds_nothing, is_blank, is_empty_brotli, must_be_empty
from exporter.logdirs.usage import opened

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 256 * 1024


class SmallFiles:
    """Files of one directory, looked at again and again; what was read is remembered until a file changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], bool]] = {}
        self._seen: set[str] = set()

    def hollow(self, parent: int, name: str, at: os.stat_result) -> bool:
        """As file_is_hollow."""
        if at.st_size > LARGEST_BLANK or not at.st_size:
            return not at.st_size
        self._seen.add(name)
        identity = (at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
        known = self._known.get(name)
        if known is None or known[0] != identity:
            known = self._known[name] = identity, file_is_hollow(parent, name, at)
        return known[1]

    def forget_others(self) -> None:
        """Forgets the files that were not asked for since the last call."""
        self._known = {name: self._known[name] for name in self._seen if name in self._known}
        self._seen.clear()


def file_is_hollow(parent: int, name: str, at: os.stat_result) -> bool:
    """Whether a regular file holds nothing. Blocks. One that may not be read is judged by its size and name.

    parent: descriptor of its directory. at: what stat said of it.
    """
    if at.st_size > LARGEST_BLANK or not at.st_size:
        return not at.st_size
    try:
        descriptor = os.open(name, _OPEN, dir_fd=parent)
    except OSError:
        return must_be_empty(name, at.st_size)
    with opened(descriptor) as file:
        now = os.fstat(file)
        if not stat.S_ISREG(now.st_mode) or now.st_ino != at.st_ino:
            return False
        try:
            data = os.read(file, LARGEST + 1)
            if len(data) > LARGEST:  # no archive of nothing; zeros are read to the end, all else to its first byte
                return is_blank(chain((data,), iter(lambda: os.read(file, _CHUNK), b"")))
        except OSError:
            return must_be_empty(name, at.st_size)
    return holds_nothing(data) or is_empty_brotli(name, len(data))
