"""What Linux tells about a file's blocks beyond stat."""

import fcntl
import os
import struct
from pathlib import Path

_FS_IOC_FIEMAP = 0xC020660B
_HEAD = struct.Struct("=QQIIII")
"""struct fiemap: start, length, flags, mapped extents, room for extents, reserved (linux/fiemap.h)."""
_EXTENT = struct.Struct("=QQQQQIIII")
"""struct fiemap_extent: logical, physical, length, two reserved, flags, three reserved."""
_EXTENT_SHARED = 0x2000
_WHOLE = 2**64 - 1
_AT_ONCE = 256


def shared_blocks(path: Path) -> bool:
    """Whether any of a file's first extents is shared with another file, as after a snapshot or a reflink copy. Blocks.

    False where the file system does not tell.
    """
    buffer = bytearray(_HEAD.pack(0, _WHOLE, 0, 0, _AT_ONCE, 0) + bytes(_AT_ONCE * _EXTENT.size))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, _FS_IOC_FIEMAP, buffer)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    mapped = _HEAD.unpack_from(buffer)[3]
    extents = (_EXTENT.unpack_from(buffer, _HEAD.size + number * _EXTENT.size) for number in range(mapped))
    return any(extent[5] & _EXTENT_SHARED for extent in extents)
