"""What was shown of a set: one small file beside its manifest, which the tasks that prove it replace as a whole.

It names the manifest that it is about by its SHA-256, so that proofs copied beside another set prove nothing there.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from exporter.backups.sealed import SealBroken, sealed, unsealed
from exporter.base.replace_file import replace_file
from exporter.inventory.backups import MANIFEST

PROOFS = "upkeeper-proofs.json"
"""Its name in the set."""
MAX_BYTES = 64 * 1024

Proof = Literal["checksums", "readable", "restored", "drilled"]
PROOFS_THERE_ARE: tuple[Proof, ...] = ("checksums", "readable", "restored", "drilled")
"""From the cheapest on: the sums are right, everything can be read to its end, it was restored into scratch, the
applications have worked with it.
"""

_VERSION = 1
_MAX_DETAIL = 1000
_MAX_MANIFEST = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Shown:
    """How the last attempt at a proof ended."""

    success: bool
    finished: float
    """Unix seconds."""
    detail: str = ""
    """One line for people: why it failed, or what was looked at."""


Proofs = Mapping[Proof, Shown]
"""The last attempt at each proof."""


@dataclass(frozen=True, slots=True)
class ProofsFile:
    """The content of the file."""

    manifest: str
    """SHA-256 of the manifest that they are about, in hexadecimal."""
    proofs: Proofs = field(default_factory=dict)


def render(file: ProofsFile) -> bytes:
    """The text of the file."""
    return sealed(
        {
            "version": _VERSION,
            "manifest": file.manifest,
            "proofs": {
                proof: {"success": one.success, "finished": one.finished, "detail": one.detail[:_MAX_DETAIL]}
                for proof, one in file.proofs.items()
            },
        }
    )


def parse(data: bytes) -> ProofsFile | None:
    """What the text of the file says; None where it is damaged or of another version: then nothing is proven."""
    try:
        top = unsealed(data, must=True)
    except SealBroken:
        return None
    manifest, proofs = top.get("manifest"), top.get("proofs")
    if top.get("version") != _VERSION or not isinstance(manifest, str) or not isinstance(proofs, dict):
        return None
    found: dict[Proof, Shown] = {}
    for name, one in proofs.items():
        shown = _shown(one)
        if name in PROOFS_THERE_ARE and shown is not None:
            found[cast(Proof, name)] = shown
    return ProofsFile(manifest, found)


def read(directory: Path, manifest: str) -> Proofs:
    """What was shown of the set in a directory; nothing where that is not known. Blocks. Raises OSError.

    manifest: SHA-256 of the file of its manifest as it is now.
    """
    try:
        with (directory / PROOFS).open("rb") as file:
            found = parse(file.read(MAX_BYTES + 1))
    except FileNotFoundError:
        return {}
    return found.proofs if found is not None and found.manifest == manifest else {}


def of_open_set(handle: int) -> Proofs:
    """The same, of a set whose directory is open; nothing where its manifest cannot be read, either. Blocks."""
    try:
        found = parse(_content(handle, PROOFS, MAX_BYTES))
        if found is None or found.manifest != hashlib.sha256(_content(handle, MANIFEST, _MAX_MANIFEST)).hexdigest():
            return {}
    except OSError:
        return {}
    return found.proofs


def _content(handle: int, name: str, most: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
    with open(descriptor, "rb") as file:
        return file.read(most + 1)


def record(directory: Path, manifest: str, proof: Proof, shown: Shown) -> None:
    """Notes how a proof of the set ended, whole or not at all, also if the machine fails meanwhile.

    Blocks. Raises OSError. What was known before is read first, so one writer at a time.
    """
    proofs = {**read(directory, manifest), proof: shown}
    replace_file(directory / PROOFS, render(ProofsFile(manifest, proofs)), mode=0o644, durable=True)


def _shown(document: Any) -> Shown | None:
    if not isinstance(document, dict):
        return None
    success, finished, detail = document.get("success"), document.get("finished"), document.get("detail", "")
    if not isinstance(success, bool) or not isinstance(finished, int | float) or not isinstance(detail, str):
        return None
    return Shown(success, float(finished), detail)
