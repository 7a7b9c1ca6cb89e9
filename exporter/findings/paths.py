"""Paths as text: a configuration may hold any, and they are only looked up."""

import os.path
from contextlib import suppress
from pathlib import Path


def joined(directory: str, path: str) -> str:
    """The absolute path that a path means below a directory, without ``..``; ``~`` is the user's own directory."""
    below = Path(path)
    with suppress(RuntimeError):  # there is no such user
        below = below.expanduser()
    return os.path.normpath(str(Path(directory) / below))


def parent(path: str) -> str:
    return str(Path(path).parent)


def name(path: str) -> str:
    return Path(path).name
