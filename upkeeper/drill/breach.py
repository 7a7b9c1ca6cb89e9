"""The harmless breach: a scratch directory of log files over its limit. All calls block, for milliseconds."""

import errno
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.base.file_lock import AlreadyLocked, lock_directory
from remediator.model.errors import EXIT_BLOCKED, EXIT_FAILED, EXIT_USAGE, ClientError
from remediator.statedir import StateDir

FILES = 6
FILE_BYTES = 400 * 1024
"""Together 2.3 MiB, over the limit of 1 MiB; each over the 256 KiB from which a file is rotated."""

_ATTEMPTS = 100
"""Far more than a rotation of so few files can upset."""
_LINE = "upkeeper drill: this line is here to be rotated away, request {number:08x} took {took} ms\n"


@contextmanager
def only_drill(state: StateDir) -> Iterator[None]:
    """Holds the drill to one at a time on a state directory.

    The lock is on the directory itself, since a file for it would be left behind. Raises ClientError when another
    drill runs, or there is no such directory.
    """
    try:
        descriptor = lock_directory(state.root)
    except AlreadyLocked:
        raise ClientError(f"another drill is in progress on {state.root}", EXIT_BLOCKED) from None
    except OSError as error:
        raise ClientError(f"cannot use the state directory {state.root}: {error.strerror}", EXIT_USAGE) from error
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def cleaned_up(state: StateDir) -> Iterator[None]:
    """Removes what an earlier drill that was killed left, and in the end what this one made. Raises ClientError."""
    remove(state.drill)
    try:
        yield
    finally:
        remove(state.drill)


def make(directory: Path) -> None:
    """Writes the log files. Raises ClientError when they cannot be written."""
    numbers = random.Random(0)  # noqa: S311  filler text
    try:
        directory.mkdir(mode=0o700, exist_ok=True)  # a volume of its own is there always, and empty
        for index in range(FILES):
            lines: list[str] = []
            size = 0
            while size < FILE_BYTES:
                lines.append(_LINE.format(number=numbers.getrandbits(32), took=numbers.randrange(1000)))
                size += len(lines[-1])
            (directory / f"drill-{index}.log").write_text("".join(lines))
    except OSError as error:
        raise ClientError(f"cannot write the drill's files: {error}", EXIT_FAILED) from error


def remove(directory: Path) -> None:
    """Removes the scratch directory; that it is not there is well. Raises ClientError.

    A rotation may be at work in it, so what appears while it is removed is removed too.
    """
    if directory.is_symlink():
        raise ClientError(f"{directory} is a symbolic link, which the drill never makes: remove it", EXIT_USAGE)
    for _ in range(_ATTEMPTS):
        if not directory.exists():
            return
        try:
            shutil.rmtree(directory)
        except OSError as error:
            if error.errno == errno.EBUSY and not any(directory.iterdir()):
                return  # a volume of its own
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                raise ClientError(f"cannot remove the drill's files: {error}", EXIT_FAILED) from error
    raise ClientError(f"cannot remove {directory}: something keeps writing into it", EXIT_FAILED)
