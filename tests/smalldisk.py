"""Taking all the room of a small file system."""

import contextlib
import os
from pathlib import Path


def fill(directory: Path) -> list[Path]:
    """Takes all the room of a file system, down to where nothing of any size can be written; what it made."""
    made: list[Path] = []
    for size in (1024 * 1024, 64 * 1024, 4096, 512):
        path = directory / f"filler-{size}"
        with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
            made.append(path)
            content = os.urandom(size)
            while True:
                file.write(content)
        os.sync()
    return made


def take_inodes(directory: Path) -> list[Path]:
    """Makes empty files until there is no inode left; what it made."""
    made: list[Path] = []
    with contextlib.suppress(OSError):
        while True:
            path = directory / f"file-{len(made)}"
            path.touch(exist_ok=False)
            made.append(path)
    return made
