"""The manifest of a set: what is in it, written last and never changed. Its form: docs/how-to/backups.md."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.backups.sealed import SealBroken, sealed, unsealed
from exporter.base.errors import UpkeeperError
from exporter.inventory.backups import MANIFEST

VERSION = 1
_ENCRYPTED = 2
"""Of a set with encrypted files, which a reader of the first version would take for damaged."""
ENCRYPTED_SUFFIX = ".age"
"""Ends the names of files that are encrypted; no other file of a set has it."""
_MAX_BYTES = 256 * 1024**2
"""Of a million files; more is no manifest."""


class ManifestBroken(UpkeeperError, ValueError):
    """A manifest cannot be read or made sense of. The message is one line for people."""


@dataclass(frozen=True, slots=True)
class SetFile:
    """One file of a set."""

    path: str
    """Below the set's directory, with ``/``; bytes that are not UTF-8 as lone surrogates, as of os.fsdecode."""
    bytes: int
    sha256: str
    """In hexadecimal, 64 digits."""
    source: str = ""
    """What it is a copy of, for people: ``postgres:letta``."""


@dataclass(frozen=True, slots=True)
class Member:
    """One thing that was backed up, such as a database server or a volume, with the files that hold it."""

    kind: str
    """``files``, ``sqlite``, ``postgres`` ..., as the key below ``make:``."""
    name: str
    files: Sequence[str]
    """Their paths in the set, in the order in which they are read."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was true of it then, as plain JSON: counts to compare a restore with, versions of server and client."""

    @property
    def key(self) -> str:
        """Names it in its set: ``postgres:letta``."""
        return f"{self.kind}:{self.name}"

    @property
    def label(self) -> str:
        """The same for people: ``files`` is the only one of its kind."""
        return self.kind if self.kind == self.name else self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a set holds."""

    backup: str
    """Name of the series."""
    started: float
    """Unix seconds: nothing in the set is older."""
    finished: float
    files: Sequence[SetFile]
    """Every file of the set but the manifest and the proofs."""
    members: Sequence[Member] = ()
    """None in one that a user's own script wrote: then it is only known what the files are."""
    host: str = ""
    """The machine that made it."""
    made_by: str = ""
    """Program and version."""

    @property
    def encrypted(self) -> bool:
        return any(file.path.endswith(ENCRYPTED_SUFFIX) for file in self.files)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def render(manifest: Manifest) -> bytes:
    """The manifest as the text of its file."""
    return sealed(
        {
            "version": _ENCRYPTED if manifest.encrypted else VERSION,
            "backup": manifest.backup,
            "host": manifest.host,
            "made_by": manifest.made_by,
            "started": manifest.started,
            "finished": manifest.finished,
            "members": [
                {"kind": each.kind, "name": each.name, "files": list(each.files), "facts": dict(each.facts)}
                for each in manifest.members
            ],
            "files": [
                {"path": each.path, "bytes": each.bytes, "sha256": each.sha256, "source": each.source}
                for each in manifest.files
            ],
        }
    )


def parse(data: bytes) -> Manifest:
    """The manifest in the text of its file. Raises ManifestBroken, whose message continues what the file is called."""
    try:
        top = unsealed(data)
        if "members" in top:
            unsealed(data, must=True)  # ours, which never lacks its seal
        version = top.get("version")
        if version not in (VERSION, _ENCRYPTED):
            raise ValueError(f"has the version {version!r}, where this Upkeeper reads {VERSION} and {_ENCRYPTED}")
        manifest = Manifest(
            backup=_text(top, "backup"),
            host=_text(top, "host", ""),
            made_by=_text(top, "made_by", ""),
            started=_seconds(top, "started"),
            finished=_seconds(top, "finished"),
            members=[_member(each, index) for index, each in enumerate(_list(top, "members", []))],
            files=[_file(each, index) for index, each in enumerate(_list(top, "files"))],
        )
        for problem in _contradictions(manifest):
            raise ValueError(problem)
    except (SealBroken, ValueError) as error:
        raise ManifestBroken(str(error)) from None
    return manifest


def read(directory: Path) -> tuple[Manifest, str]:
    """The manifest of the set in a directory, and the SHA-256 of its file, which names exactly this set.

    Blocks. Raises ManifestBroken.
    """
    path = directory / MANIFEST
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ManifestBroken(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) > _MAX_BYTES:
        raise ManifestBroken(f"{path} is larger than {_MAX_BYTES} bytes")
    try:
        return parse(data), hashlib.sha256(data).hexdigest()
    except ManifestBroken as error:
        raise ManifestBroken(f"{path} {error}") from None


def digest(directory: Path) -> str:
    """The SHA-256 of the file of a manifest, which may be damaged. Blocks. Raises OSError."""
    with (directory / MANIFEST).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_below(path: str) -> bool:
    """Whether a path of a manifest stays in its set."""
    return bool(path) and "\0" not in path and not any(part in ("", ".", "..") for part in path.split("/"))


def _contradictions(manifest: Manifest) -> Iterator[str]:
    paths = {file.path for file in manifest.files}
    if len(paths) < len(manifest.files):
        yield "names a file twice"
    for file in manifest.files:
        if not is_below(file.path):
            yield f"names a file outside the set: {file.path!r}"
    for member in manifest.members:
        for path in member.files:
            if path not in paths:
                yield f"says that {member.key} is in {path!r}, of which it has no checksum"


def _member(document: object, index: int) -> Member:
    where = f"members[{index}]"
    fields = _mapping(document, where)
    files = _list(fields, "files")
    if not all(isinstance(path, str) for path in files):
        raise ValueError(f"{where}.files must be texts")
    return Member(_text(fields, "kind"), _text(fields, "name"), files, _mapping(fields.get("facts", {}), where))


def _file(document: object, index: int) -> SetFile:
    fields = _mapping(document, f"files[{index}]")
    size, digest = fields.get("bytes"), _text(fields, "sha256").lower()
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ValueError(f"files[{index}].bytes must be a number of bytes")
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise ValueError(f"files[{index}].sha256 must be 64 hexadecimal digits")
    return SetFile(_text(fields, "path"), size, digest, _text(fields, "source", ""))


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object")
    return value


def _list(fields: Mapping[str, Any], key: str, default: list[Any] | None = None) -> list[Any]:
    value = fields.get(key, default)
    if not isinstance(value, list):
        raise ValueError(f"{key} must be a list")
    return value


def _text(fields: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = fields.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text")
    return value


def _seconds(fields: Mapping[str, Any], key: str) -> float:
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise ValueError(f"{key} must be Unix seconds")
    return float(value)
