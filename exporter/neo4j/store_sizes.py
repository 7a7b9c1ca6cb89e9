"""The sizes of a Neo4j server's stores, from its data directory."""

import os
from collections.abc import Mapping
from pathlib import Path

_BLOCK = 512


def store_sizes(data: Path) -> Mapping[str, tuple[int, int]]:
    """Bytes that the store and the transaction logs take up on disk, by database. Raises OSError.

    Blocks. A file that goes away meanwhile counts nothing; a symbolic link is not followed.
    """
    logs = _sizes(data / "transactions")
    return {name: (size, logs.get(name, 0)) for name, size in _sizes(data / "databases").items()}


def _sizes(parent: Path) -> Mapping[str, int]:
    with os.scandir(parent) as entries:
        return {entry.name: _size(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)}


def _size(directory: str) -> int:
    total = 0
    for where, _, files in os.walk(directory):
        for name in files:
            try:
                total += Path(where, name).lstat().st_blocks * _BLOCK
            except FileNotFoundError:
                continue
    return total
