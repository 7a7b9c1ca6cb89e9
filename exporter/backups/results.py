"""What the tasks found out about a backup: verifications and restore tests. Written by them, read by the exporter.

One small JSON file a backup, ``<state-dir>/backups/<name>.json``; its form is described in docs/how-to/backups.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from exporter.base.errors import UpkeeperError
from exporter.base.replace_file import replace_file

Level = Literal["checksums", "readable", "restored", "spot"]
LEVELS: tuple[Level, ...] = ("checksums", "readable", "restored", "spot")
"""How deep a verification went: the sums are right, the archives can be read, it was restored into scratch; or a
sample of its files was compared with what they are copies of.
"""

VERSION = 1
_MAX_BYTES = 64 * 1024


class ResultsBroken(UpkeeperError, ValueError):
    """The file cannot be made sense of. The message is one sentence for people, and names the file."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a verification or a restore test ended."""

    set: str
    """Name of the set, or id of the snapshot."""
    success: bool
    finished: float
    """Unix seconds."""
    detail: str = ""
    """One line for people: why it failed, or what was looked at."""
    recovered_seconds: float | None = None
    """Of a restore test: how long it took until the applications worked with the data (RTO)."""
    data_age_seconds: float | None = None
    """Of a restore test: how old the data was when that began (RPO)."""


@dataclass(frozen=True, slots=True)
class Results:
    """The last result of each kind."""

    verifications: Mapping[Level, Result] = field(default_factory=dict)
    restore_test: Result | None = None


def path_of(state_dir: Path, backup: str) -> Path:
    """The file of a backup's results."""
    return state_dir / "backups" / f"{backup}.json"


def read(state_dir: Path, backup: str) -> Results:
    """The results of a backup; empty ones when there are none yet. Blocks. Raises ResultsBroken, and OSError."""
    path = path_of(state_dir, backup)
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return Results()
    try:
        if len(text) > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
        return _results(json.loads(text), backup)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ResultsBroken(f"{path} cannot be read: {error}") from None


def write(state_dir: Path, backup: str, results: Results) -> None:
    """Puts the results in place of the former ones, whole or not at all, also if the machine fails meanwhile.

    Blocks. Raises OSError. Who changes one result reads the others before, so one writer at a time.
    """
    document = {
        "version": VERSION,
        "backup": backup,
        "verifications": {level: _document(result) for level, result in results.verifications.items()},
        "restore_test": None if results.restore_test is None else _document(results.restore_test),
    }
    path = path_of(state_dir, backup)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = f"{json.dumps(document, indent=1)}\n".encode("ascii")
    replace_file(path, content, mode=0o644, durable=True)  # no secrets; the exporter may run as another user


def _document(result: Result) -> dict[str, object]:
    common = {"set": result.set, "success": result.success, "finished": result.finished, "detail": result.detail}
    measured = {"recovered_seconds": result.recovered_seconds, "data_age_seconds": result.data_age_seconds}
    return {**common, **{key: value for key, value in measured.items() if value is not None}}


def _results(document: object, backup: str) -> Results:
    top = _mapping(document, "it")
    if top.get("version") != VERSION:
        raise ValueError(f"version must be {VERSION}")
    if top.get("backup") != backup:
        raise ValueError(f"it is not about the backup {backup}")
    verifications: dict[Level, Result] = {}
    for level, result in _mapping(top.get("verifications"), "verifications").items():
        if level not in LEVELS:
            raise ValueError(f"{level!r} is no level of verification")
        verifications[level] = _result(result, f"verifications.{level}")
    test = top.get("restore_test")
    return Results(verifications, None if test is None else _result(test, "restore_test"))


def _result(document: object, where: str) -> Result:
    fields = _mapping(document, where)
    name, success, detail = fields.get("set"), fields.get("success"), fields.get("detail", "")
    finished = fields.get("finished")
    if not isinstance(name, str) or not isinstance(detail, str):
        raise ValueError(f"{where}.set and .detail must be text")
    if not isinstance(success, bool):
        raise ValueError(f"{where}.success must be true or false")
    if isinstance(finished, bool) or not isinstance(finished, int | float) or not 0 <= finished < 2**40:
        raise ValueError(f"{where}.finished must be Unix seconds")
    measured = [_seconds(fields, where, key) for key in ("recovered_seconds", "data_age_seconds")]
    return Result(name, success, float(finished), detail, *measured)


def _seconds(fields: Mapping[str, Any], where: str, key: str) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise ValueError(f"{where}.{key} must be seconds")
    return float(value)


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object")
    return value
