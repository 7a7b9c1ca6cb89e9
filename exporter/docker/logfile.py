"""What a container's log takes up, and whether it may grow without end.

Options of the log drivers: https://docs.docker.com/engine/logging/drivers/json-file/ and .../local/.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_DEFAULTS = {"json-file": ("-1", "1"), "local": ("20m", "5")}
"""Of the drivers that keep files: size of a file, and number of files."""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How a container logs. The engine has put its own defaults into the options when it made the container."""

    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    """The current log file of the json-file driver; empty where the engine has none or does not tell."""

    @property
    def kept(self) -> bool:
        """Whether the engine keeps the log in files of its own, so that its size is a question at all."""
        return self.driver in _DEFAULTS

    @property
    def max_bytes(self) -> int | None:
        """Bytes of all its files together above which the engine drops the oldest; None when it never does."""
        if not self.kept:
            return None
        size, files = _DEFAULTS[self.driver]
        single = _bytes(self.options.get("max-size") or size)
        count = self.options.get("max-file") or files
        return single * int(count) if single is not None and count.isdecimal() else None

    def size(self) -> int | None:
        """Bytes of the log file and those rotated away from it; None if it cannot be read. Blocks.

        The engine counts rotated files from 1 without a gap, and adds ``.gz`` to compressed ones.
        """
        if self.driver != "json-file" or not self.path:
            return None
        try:
            total = Path(self.path).stat().st_size
        except OSError:
            return None
        number = 1
        while (size := _either(f"{self.path}.{number}")) is not None:
            total += size
            number += 1
        return total


def _bytes(text: str) -> int | None:
    """Bytes of ``10m``, as the engine reads it, in powers of 1024. None for the ``-1`` of no limit."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    return int(float(found[1]) * 1024.0 ** " kmgtp".index(found[2].lower() or " ")) or None


def _either(path: str) -> int | None:
    for name in (path, f"{path}.gz"):
        try:
            return Path(name).stat().st_size
        except OSError:
            continue
    return None
