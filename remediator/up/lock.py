"""One `upkeeper up` a state directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from remediator.errors import EXIT_USAGE, ClientError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds the lock file, with our process id in it. The kernel lets go of it however this process ends.

    Raises ClientError when another process holds it, OSError when the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode(errors="replace").strip() or "?"
            raise ClientError(
                f"upkeeper up already runs on {path.parent} (pid {pid})\n"
                "Stop that one first, or give this one its own --state-dir and --port-base.",
                EXIT_USAGE,
            ) from None
        with suppress(OSError):  # for people only; a full disk must not keep anything from starting
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
