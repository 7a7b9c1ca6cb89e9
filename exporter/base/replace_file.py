"""Writing a file whole or not at all, so that nobody ever reads half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def replace_file(path: Path, content: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Puts the content in place of the file, which need not exist. On failure the file is what it was.

    durable: it also holds if the machine fails right afterwards. Blocks. Raises OSError.
    """
    with _draft(path, content, mode, durable=durable) as draft:
        draft.replace(path)
    if durable:
        _sync_directory(path.parent)


def create_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Makes the file, durably, unless it exists by then: of several that make it at once, the first wins.

    Blocks. Raises OSError.
    """
    with _draft(path, content, mode, durable=True) as draft, suppress(FileExistsError):
        os.link(draft, path)
    _sync_directory(path.parent)


@contextmanager
def _draft(path: Path, content: bytes, mode: int, *, durable: bool) -> Iterator[Path]:
    """A file beside the one of this path, with this content. Removed afterwards, if it is still there."""
    import tempfile  # takes its time, and commands that write nothing import this file

    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink()


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
