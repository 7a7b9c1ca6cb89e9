"""What became of copying sets elsewhere: by series one small JSON file, ``<state-dir>/copies/<name>.json``.

Written by the task that copies, read by the exporter.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter.backups.sealed import SealBroken, sealed, unsealed
from exporter.base.errors import UpkeeperError
from exporter.base.replace_file import replace_file

_VERSION = 1
_MAX_BYTES = 64 * 1024
_MAX_DETAIL = 1000


class CopiesBroken(UpkeeperError, ValueError):
    """The file cannot be made sense of. The message is one sentence for people, and names the file."""


@dataclass(frozen=True, slots=True)
class Copy:
    """How the last attempt ended to copy a set of a series to one destination."""

    set: str
    success: bool
    """The copy was found there: all its files with their sizes, and the manifest byte for byte."""
    finished: float
    """Unix seconds."""
    detail: str = ""
    """One line for people: why it failed, or where the copy is."""
    copied: float | None = None
    """When the newest set was made of which a copy was found there; kept when a later attempt fails."""


Copies = Mapping[str, Copy]
"""By the destination's name."""


def path_of(state_dir: Path, backup: str) -> Path:
    """The file of a series."""
    return state_dir / "copies" / f"{backup}.json"


def read(state_dir: Path, backup: str) -> Copies:
    """Nothing where nothing was copied yet. Blocks. Raises CopiesBroken, OSError."""
    path = path_of(state_dir, backup)
    try:
        with path.open("rb") as file:
            top = unsealed(file.read(_MAX_BYTES + 1), must=True)
        if top.get("version") != _VERSION or top.get("backup") != backup:
            raise ValueError("is of another version, or about another series")
        return {str(name): _copy(fields) for name, fields in top["destinations"].items()}
    except FileNotFoundError:
        return {}
    except (SealBroken, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CopiesBroken(f"{path} cannot be read: {error}") from None


def note(state_dir: Path, backup: str, destination: str, copy: Copy, *, looked: bool = False) -> None:
    """Puts how an attempt ended in place of the one before, durably. One writer a series. Blocks. Raises OSError.

    looked: it was only looked what is there, so that what was copied earlier counts no more where it has gone. A file
    that cannot be made sense of is written anew: what it said is not known any more.
    """
    try:
        before = read(state_dir, backup)
    except CopiesBroken:
        before = {}
    former = before.get(destination)
    kept = former.copied if former is not None and not looked else None
    dates = [each for each in (copy.copied, kept) if each is not None]
    merged = Copy(copy.set, copy.success, copy.finished, copy.detail[:_MAX_DETAIL], max(dates, default=None))
    document = {
        "version": _VERSION,
        "backup": backup,
        "destinations": {name: asdict(each) for name, each in {**before, destination: merged}.items()},
    }
    path = path_of(state_dir, backup)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, sealed(document), mode=0o644, durable=True)  # no secrets; the exporter may be another user


def _copy(fields: Mapping[str, Any]) -> Copy:
    name, success, detail = fields["set"], fields["success"], fields["detail"]
    finished, copied = fields["finished"], fields["copied"]
    if not isinstance(name, str) or not isinstance(success, bool) or not isinstance(detail, str):
        raise ValueError("set, success or detail is of another type")
    if not all(isinstance(each, int | float) and 0 <= each < 2**40 for each in (finished, copied or 0.0)):
        raise ValueError("finished and copied must be Unix seconds")
    return Copy(name, success, float(finished), detail, None if copied is None else float(copied))
