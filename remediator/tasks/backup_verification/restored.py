"""The proof ``restored``: every member is restored into scratch, and compared there with what was counted."""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from exporter.backups.manifest import Manifest, Member
from exporter.base.text import counted
from remediator.model.task import TaskError
from remediator.tasks.backup.sources.sqlite import complaints, describe
from remediator.tasks.restoring import archive, checked
from remediator.tasks.restoring.checked import Damaged, SetFiles
from remediator.tasks.restoring.postgres import NotRestored, restore_server
from remediator.tasks.restoring.scratch import scratch

Restores = Callable[[Path, Manifest, Member, Path, threading.Event], str]
"""Restores a member of a set (its directory, its manifest) into an empty directory; what was found, for people."""


def problems(
    directory: Path, manifest: Manifest, where: Path | None, stop: threading.Event
) -> tuple[list[str], list[str]]:
    """What is wrong with the members of a set, and what was found of the others. Blocks.

    where: the directory for scratch; None for the system's. Raises TaskError where it cannot be told, Stopped, OSError.
    """
    unknown = [member.key for member in manifest.members if member.kind not in _RESTORERS]
    if unknown:
        raise TaskError(f"{unknown[0]} is of a kind that this Upkeeper cannot restore into scratch")
    wrong: list[str] = []
    found: list[str] = []
    for member in manifest.members:
        with scratch(where, _needed(manifest, member)) as into:
            try:
                found.append(f"{member.label}: {_RESTORERS[member.kind](directory, manifest, member, into, stop)}")
            except (Damaged, NotRestored) as error:
                wrong.append(f"{member.label}: {error}")
    return wrong, found


def _archive(directory: Path, manifest: Manifest, member: Member, into: Path, stop: threading.Event) -> str:
    files = {file.path: file for file in manifest.files}
    total, files_of = 0, SetFiles(directory)
    for number, path in enumerate(member.files):
        total += archive.look(files_of, files[path], stop)
        out = into / str(number)
        out.mkdir(mode=0o700)
        archive.unpack(files_of, files[path], out, None, stop)
        wrong = archive.differences(files_of, files[path], out, stop)
        if wrong:
            raise NotRestored(f"{path}, unpacked: {wrong[0]}")
    wanted = member.facts.get("entries", total)
    if wanted != total:
        raise NotRestored(f"it holds {total} entries, where {wanted} were backed up")
    return counted(total, "entry", "entries")


def _sqlite(directory: Path, manifest: Manifest, member: Member, into: Path, stop: threading.Event) -> str:
    (entry,) = [file for file in manifest.files if file.path in member.files]
    copy = into / "database.sqlite"
    checked.copy(SetFiles(directory), entry, copy, stop)
    wrong = complaints(copy)
    if wrong:
        raise NotRestored(f"SQLite finds: {wrong[0]}")
    try:
        found: Mapping[str, Any] = describe(copy)
    except sqlite3.Error as error:
        raise NotRestored(str(error)) from None
    for key in ("rows", "pages", "user_version"):
        if key in member.facts and member.facts[key] != found[key]:
            raise NotRestored(f"{key} are {found[key]}, where they were {member.facts[key]}"[:300])
    return counted(sum(found["rows"].values()), "row")


def _postgres(directory: Path, manifest: Manifest, member: Member, into: Path, stop: threading.Event) -> str:
    return restore_server(directory, manifest, member, into, stop)


def _needed(manifest: Manifest, member: Member) -> int:
    """Bytes that the restored member takes, as far as the backup wrote that down."""
    content, sizes = member.facts.get("content_bytes"), member.facts.get("sizes")
    if isinstance(content, int):
        return content
    if isinstance(sizes, dict):
        return sum(size for size in sizes.values() if isinstance(size, int))
    wanted = set(member.files)
    return sum(file.bytes for file in manifest.files if file.path in wanted)


_RESTORERS: Mapping[str, Restores] = {"files": _archive, "volumes": _archive, "sqlite": _sqlite, "postgres": _postgres}
