"""The layer that an overlay mount writes to: the same files, as another file system with locks of its own."""

import os
import re
from pathlib import Path

from exporter.host.mounts import MOUNTINFO, parse_mountinfo, upper_path

_MOUNT_ID = re.compile(r"^mnt_id:\s*(\d+)$", re.MULTILINE)


def open_upper(fd: int) -> int | None:
    """An open handle of the directory in which an overlay keeps what is written to this one.

    None where the directory lies on no overlay, and where that layer has no such directory or cannot be seen from here,
    as from inside a container: nobody here can be at work in it either. Raises OSError.
    """
    if os.major(os.fstat(fd).st_dev):  # a block device's: an overlay has none
        return None
    named = _MOUNT_ID.search(Path(f"/proc/self/fdinfo/{fd}").read_text())
    mounts = parse_mountinfo(MOUNTINFO.read_bytes())
    mount = next((mount for mount in mounts if named and mount.mount_id == int(named[1])), None)
    if mount is None:
        return None
    upper = upper_path(mount, os.fsencode(Path(f"/proc/self/fd/{fd}").readlink()))
    try:
        return None if upper is None else os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
