"""The archive: a gzipped tar of the database, the two token files and a manifest with a checksum of each.

Reading trusts nothing in it: only the names below are taken, as regular files, and each must be what the manifest says.
"""

import hashlib
import json
import os
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.base.errors import UpkeeperError

FORMAT = 1
DATABASE = "upkeeper.db"
TOKENS = ("tokens/operator", "tokens/alertmanager")
_MANIFEST = "manifest.json"
_MOST_MANIFEST = 1024 * 1024
_PIECE = 1024 * 1024
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, TypeError, ValueError)
"""What tarfile raises about a file that is not what it should be."""


class BadArchive(UpkeeperError):
    """It is no archive of a state, or a damaged one. The message says what is wrong."""


class File(BaseModel):
    """size: bytes. sha256: of the content, in hexadecimal digits."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    size: int
    sha256: str


class Manifest(BaseModel):
    """What an archive holds. made_at: RFC 3339. version: the database's migration. head: of the host's audit."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int
    upkeeper: str
    version: str
    host: str
    made_at: str
    head_number: int
    head_hash: str
    files: Mapping[str, File]


def described(path: Path) -> File:
    """The size and the checksum of a file. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return File(size=size, sha256=digest.hexdigest())


def pack(folder: Path, manifest: Manifest, target: Path) -> None:
    """Writes the archive of the files in a folder, whole or not at all, for its owner only. Blocks. Raises OSError."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            (folder / _MANIFEST).write_text(manifest.model_dump_json(indent=2))
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=3) as archive:
                for name in (_MANIFEST, *manifest.files):
                    archive.add(folder / name, name, recursive=False)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(target)
        _sync(target.parent)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def look(source: Path) -> Manifest:
    """The manifest, which comes first. Raises BadArchive and OSError."""
    try:
        with tarfile.open(source, "r|gz") as archive:
            return _manifest(archive)
    except _DAMAGE as error:
        raise _bad(source, error) from error


def unpack(source: Path, folder: Path) -> Manifest:
    """Puts the files into an empty folder, checked against the manifest. Raises BadArchive and OSError."""
    try:
        with tarfile.open(source, "r|gz") as archive:
            manifest = _manifest(archive)
            while (member := archive.next()) is not None:
                if member.name not in manifest.files or not member.isreg():
                    raise BadArchive(f"{source} holds {member.name!r}, which is not in its manifest")
                _write(archive, member, folder / member.name)
    except _DAMAGE as error:
        raise _bad(source, error) from error
    for name, wanted in manifest.files.items():
        if not (folder / name).exists() or described(folder / name) != wanted:
            raise BadArchive(f"{source} is damaged: {name} is not what was backed up")
    return manifest


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = archive.extractfile(member)
    assert content is not None, "it is a regular file"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        while piece := content.read(_PIECE):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())


def _manifest(archive: tarfile.TarFile) -> Manifest:
    member = archive.next()
    if member is None or member.name != _MANIFEST or not member.isreg() or member.size > _MOST_MANIFEST:
        raise ValueError("it does not begin with a manifest")
    content = archive.extractfile(member)
    assert content is not None, "it is a regular file"
    document: Any = json.loads(content.read())
    found = document.get("format") if isinstance(document, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise BadArchive(
            f"it was made by a newer Upkeeper ({document.get('upkeeper')}); install that one to restore it"
        )
    try:
        manifest = Manifest.model_validate(document)
    except ValidationError as error:
        raise ValueError("its manifest is not understood") from error
    if not {DATABASE} <= set(manifest.files) <= {DATABASE, *TOKENS}:
        raise ValueError("its manifest names other files than a state has")
    return manifest


def _bad(source: Path, error: Exception) -> Exception:
    if isinstance(error, BadArchive):
        return error
    if isinstance(error, OSError) and not isinstance(error, tarfile.TarError) and error.errno is not None:
        return error
    return BadArchive(f"{source} is no backup of a state, or it is damaged: {error}")
