"""The sets that are in a repository, and how one comes out of it. Everything blocks."""

import os
from pathlib import Path
from threading import Event

from exporter.backups import manifest as manifests
from exporter.backups.manifest import Manifest, ManifestBroken
from exporter.backups.restic import MADE
from exporter.backups.sets import BackupSet
from exporter.inventory.backups import MANIFEST
from remediator.model.task import TaskError
from remediator.tasks.backup.copies.repository import Repository, Snapshot
from remediator.tasks.backup.sink import private_folder
from remediator.tasks.backup.snapshots.tags import bytes_of, part_tags, set_of, sets_tags

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def sets_in(repository: Repository, backup: str, stop: Event) -> list[BackupSet]:
    """Those of a series, the newest first. Raises TaskError, Stopped."""
    return [
        BackupSet(set_of(each.tags) or each.id, "complete", each.time, bytes_of(each.tags))
        for each in repository.snapshots(sets_tags(backup), stop)
    ]


def is_a_set(snapshot: Snapshot) -> bool:
    """Whether it is the manifest of a set that was made in the repository."""
    return MADE in snapshot.tags


def manifest_of(repository: Repository, snapshot: Snapshot, stop: Event) -> tuple[bytes, Manifest]:
    """As it is there, and what it says. Raises TaskError, Stopped."""
    text = bytearray()
    repository.dump(snapshot, text.extend, stop)
    try:
        return bytes(text), manifests.parse(bytes(text))
    except ManifestBroken as error:
        raise TaskError(f"the set {set_of(snapshot.tags)} is damaged: {error}") from None


def parts_of(repository: Repository, manifest: Manifest, name: str, stop: Event) -> dict[str, Snapshot]:
    """The snapshot of each file of a set. Raises TaskError where one has none."""
    there = {each.path.lstrip("/"): each for each in repository.snapshots(part_tags(manifest.backup, name), stop)}
    for file in manifest.files:
        if file.path not in there:
            raise TaskError(f"the set {name} is damaged: {repository} has no snapshot of its file {file.path}")
    return there


def fetch_set(repository: Repository, snapshot: Snapshot, below: Path, stop: Event) -> Path:
    """The set of a manifest as a directory below another. Raises TaskError, Stopped, OSError."""
    name = set_of(snapshot.tags) or ""
    if not name or "/" in name or name.startswith("."):
        raise TaskError(f"the snapshot {snapshot.id[:8]} of {repository} does not say which set it is")
    text, manifest = manifest_of(repository, snapshot, stop)
    parts = parts_of(repository, manifest, name, stop)
    into = below / name
    into.mkdir(mode=0o700)
    for file in manifest.files:
        if not manifests.is_below(file.path):
            raise TaskError(f"the set {name} was not made by Upkeeper: {file.path!r} is no place in it")
        private_folder(into, Path(file.path).parent)
        with open(os.open(into / file.path, _NEW, 0o600), "wb", buffering=0) as target:
            repository.dump(parts[file.path], lambda data, to=target: _write(to.fileno(), data), stop)  # type: ignore[misc]
    (into / MANIFEST).write_bytes(text)
    return into


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
