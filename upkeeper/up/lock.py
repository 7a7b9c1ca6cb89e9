"""One `upkeeper up` a state directory."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from remediator.model.errors import EXIT_USAGE, ClientError


def hold(path: Path) -> int:
    """Holds the lock file, with our process id in it, until the returned descriptor is closed, at the latest when this
    process ends.

    Raises ClientError when another process holds it, OSError when the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 32).decode(errors="replace").strip() or "?"
        os.close(descriptor)
        raise ClientError(
            f"upkeeper up already runs on {path.parent} (pid {pid})\n"
            "Stop that one first, or give this one its own --state-dir and --port-base.",
            EXIT_USAGE,
        ) from None
    with suppress(OSError):  # for people only; a full disk must not keep anything from starting
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
