"""Files that are written for a system, and told from those that a person has changed by a mark in their first line."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exporter.base.replace_file import replace_file

State = Literal["new", "changed", "same", "kept", "removed", "absent"]
"""kept: a person changed it, or it is not ours; nothing was done to it."""

_MARK = re.compile(r"# Written by upkeeper (\S+) \(([0-9a-f]{16})\)\. (.*)\n")


@dataclass(frozen=True)
class Outcome:
    """What becomes of a file. path: as it is in the root."""

    path: str
    state: State


def marked(content: str, version: str, advice: str) -> str:
    """The content below a line that says who wrote it, and by which it is known whether anybody changed it since."""
    return f"# Written by upkeeper {version} ({_digest(content)}). {advice}\n{content}"


def is_ours(content: str) -> bool:
    """Whether it is as it was written here, by whichever version."""
    found = _MARK.match(content)
    return found is not None and found[2] == _digest(content[found.end() :])


def write(root: Path, files: Mapping[str, str], *, dry_run: bool = False, force: bool = False) -> Sequence[Outcome]:
    """Writes files below a root, and leaves alone those that a person changed. Raises OSError.

    force: replaces them too, and leaves what was there beside it, with the ending ``.upkeeper-old``.
    """
    return [Outcome(path, _write(root / path.lstrip("/"), text, dry_run, force)) for path, text in files.items()]


def remove(root: Path, paths: Sequence[str], *, dry_run: bool = False) -> Sequence[Outcome]:
    """Removes those of the files that are as they were written. Raises OSError."""
    return [Outcome(path, _remove(root / path.lstrip("/"), dry_run)) for path in paths]


def _write(path: Path, text: str, dry_run: bool, force: bool) -> State:
    there = _read(path)
    if there == text:
        return "same"
    own = there is None or is_ours(there)
    if not own and not force:
        return "kept"
    if not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        if there is not None and not own:
            replace_file(path.with_name(f"{path.name}.upkeeper-old"), there.encode("utf-8", "surrogateescape"))
        replace_file(path, text.encode(), mode=0o644)
    return "new" if there is None else "changed"


def _remove(path: Path, dry_run: bool) -> State:
    there = _read(path)
    if there is None:
        return "absent"
    if not is_ours(there):
        return "kept"
    if not dry_run:
        path.unlink()
    return "removed"


def _read(path: Path) -> str | None:
    """None where there is none. A link, such as that of `systemctl mask`, is somebody's own: it has no mark."""
    if path.is_symlink():
        return ""
    try:
        return path.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]
