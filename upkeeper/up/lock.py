"""One `upkeeper up` a state directory."""

import os
from contextlib import suppress
from pathlib import Path

from exporter.base.file_lock import AlreadyLocked, lock_file
from remediator.model.errors import EXIT_USAGE, ClientError


def hold(path: Path) -> int:
    """Holds the lock file, with our process id in it, until the returned descriptor is closed, at the latest when this
    process ends.

    Raises ClientError when another process holds it, OSError when the file cannot be made.
    """
    try:
        descriptor = lock_file(path)
    except AlreadyLocked as other:
        raise ClientError(
            f"upkeeper up already runs on {path.parent} (pid {str(other) or '?'})\n"
            "Stop that one first, or give this one its own --state-dir and --port-base.",
            EXIT_USAGE,
        ) from None
    with suppress(OSError):  # for people only; a full disk must not keep anything from starting
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
