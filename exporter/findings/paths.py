"""Paths as text: a configuration may hold any, and they are only looked up."""

import glob
import os.path
from contextlib import suppress
from itertools import islice
from pathlib import Path

MAX_MATCHES = 1000
"""Files of one pattern."""


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


def is_pattern(path: str) -> bool:
    return glob.has_magic(path)


def matches(pattern: str) -> tuple[list[str], str]:
    """The paths that a pattern matches, and what is wrong with that. Blocks.

    A path that is no pattern is given back, whether there is such a file or not.
    """
    if not is_pattern(pattern):
        return [pattern], ""
    paths = sorted(islice(glob.iglob(pattern), MAX_MATCHES + 1))  # noqa: PTH207 - Path has none for absolute ones
    if len(paths) > MAX_MATCHES:
        return paths[:MAX_MATCHES], f"matches more than {MAX_MATCHES} files, of which the rest is left out"
    return paths, ""
