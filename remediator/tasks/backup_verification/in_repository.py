"""Sets that were made in a restic repository, looked at there. Everything blocks."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from exporter.backups.manifest import Manifest
from exporter.inventory.backups import Backup
from remediator.model.task import TaskError
from remediator.progress import Counter
from remediator.tasks.backup.copies.repository import Repository, Snapshot
from remediator.tasks.backup.snapshots.sets import fetch_set, manifest_of, parts_of
from remediator.tasks.backup.snapshots.tags import set_of, sets_tags
from remediator.tasks.restoring.scratch import scratch


def repository_of(series: Backup, state_dir: Path | None) -> Repository:
    """Where the sets of a series are made."""
    assert series.restic is not None
    return Repository(series.restic, None if state_dir is None else state_dir / "cache" / "restic-sets")


def snapshot_of(repository: Repository, backup: str, name: str, stop: Event) -> Snapshot:
    """Of the manifest of a set. Raises TaskError."""
    there = repository.snapshots(sets_tags(backup), stop)
    found = next((each for each in there if set_of(each.tags) == name), None)
    if found is None:
        raise TaskError(f"{repository} has no set {name!r} any more")
    return found


def stream_differences(repository: Repository, snapshot: Snapshot, stop: Event) -> tuple[Manifest, list[str]]:
    """The manifest of a set, and what is not as that says: each file is read to its end, and kept nowhere.

    Raises TaskError where the repository cannot be used, Stopped.
    """
    _, manifest = manifest_of(repository, snapshot, stop)
    parts = parts_of(repository, manifest, set_of(snapshot.tags) or "", stop)
    read = Counter(manifest.bytes, doing="checksums")
    wrong = []
    for file in manifest.files:
        digest, size = hashlib.sha256(), 0

        def take(data: bytes, digest=digest) -> None:  # type: ignore[no-untyped-def]
            nonlocal size
            digest.update(data)
            size += len(data)
            read.add(len(data))

        try:
            repository.dump(parts[file.path], take, stop)
        except TaskError as error:  # such as of a pack that is gone: one file's harm does not hide another's
            repository.snapshots(sets_tags(manifest.backup), stop)  # raises where it is the repository that is away
            wrong.append(f"{file.path} cannot be read: {error}")
            continue
        if size != file.bytes:
            wrong.append(f"{file.path} has {size} bytes instead of {file.bytes}")
        elif digest.hexdigest() != file.sha256:
            wrong.append(f"{file.path} has another content")
    return manifest, wrong


@contextmanager
def as_directory(
    repository: Repository, snapshot: Snapshot, where: Path | None, size: int, stop: Event
) -> Iterator[Path]:
    """The set in a directory within the block. where: in which it is made; None for the system's temporary one."""
    with scratch(where, size) as folder:
        yield fetch_set(repository, snapshot, folder, stop)
