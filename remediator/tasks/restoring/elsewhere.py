"""Sets that are not of a series of this machine's config: in some directory, or in a restic repository.

So a restore begins on a machine that has Upkeeper and nothing else. Every function blocks.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from pydantic import ValidationError

from exporter.backups import manifest as manifests
from exporter.backups.manifest import Manifest, ManifestBroken
from exporter.base.units import format_bytes
from exporter.inventory.backups import MANIFEST, Backup, ResticAccess
from remediator.model.task import TaskError
from remediator.tasks.backup.copies.destination import OURS, series_tag
from remediator.tasks.backup.copies.repository import Repository, Snapshot
from remediator.tasks.backup.snapshots.sets import fetch_set, is_a_set
from remediator.tasks.backup.snapshots.tags import PART, bytes_of, set_of
from remediator.tasks.restoring.sets import LATEST

_FETCHED = ".upkeeper-fetched-"
_RESERVE = 64 * 1024**2


@dataclass(frozen=True)
class Found:
    """A set somewhere, as one of a series that is made up for it."""

    series: Backup
    name: str


def in_directory(directory: Path, name: str, backup: str | None, identity: str | None) -> Found:
    """A set in a directory of sets, or the directory itself where it is one. Raises TaskError.

    name: of the set, or latest. backup: of the series, where sets of several are there. identity: file of the key of
    sets that are encrypted.
    """
    if not directory.is_dir():
        raise TaskError(f"{directory} is not there, or is no directory")
    if (directory / MANIFEST).exists():
        if name not in (LATEST, directory.name):
            raise TaskError(f"{directory} is one set, {directory.name}, and not {name}")
        manifest = _manifest(directory)
        return Found(_series(manifest.backup, directory.parent, identity), directory.name)
    known = {each.parent.name: _of(each.parent) for each in directory.glob(f"*/{MANIFEST}")}
    if not known:
        raise TaskError(f"{directory} holds no set: nothing in it has a file {MANIFEST}")
    if name != LATEST and name not in known:
        raise TaskError(f"{directory} has no set {name!r}; it has: {', '.join(sorted(known))}")
    if name != LATEST and known[name] is not None:
        return Found(_series(str(known[name]), directory, identity), name)
    series = {each for each in known.values() if each is not None} if backup is None else {backup}
    if len(series) != 1:
        raise TaskError(
            f"{directory} holds sets of several series: name one with --name, of {', '.join(sorted(series))}"
        )
    return Found(_series(series.pop(), directory, identity), name)


def repository_at(location: str, password_file: str) -> Repository:
    """A repository of which no config tells. Pure. Raises TaskError."""
    try:
        return Repository(ResticAccess(repository=location, password_file=password_file), None)
    except ValidationError as error:
        raise TaskError(f"{error.errors()[0]['msg']}") from None


def in_repository(repository: Repository, name: str, backup: str | None, stop: Event) -> Snapshot:
    """The snapshot of a set that was copied or made there. Raises TaskError, Stopped."""
    asked = [OURS, *([] if backup is None else [series_tag(backup)])]
    there = [each for each in repository.snapshots(asked, stop) if PART not in each.tags]
    series = {tag for each in there for tag in each.tags if tag.startswith(series_tag(""))}
    if name == LATEST and len(series) > 1:
        names = ", ".join(sorted(each.removeprefix(series_tag("")) for each in series))
        raise TaskError(f"{repository} holds sets of several series: name one with --name, of {names}")
    found = next((each for each in there if name in (LATEST, _name_of(each))), None)
    if found is None:
        known = sorted({_name_of(each) for each in there}, reverse=True)
        hint = f"it has: {', '.join(known[:5])}" if known else "it has none that Upkeeper has put there"
        raise TaskError(f"{repository} has no set {name!r}; {hint}")
    return found


def _name_of(snapshot: Snapshot) -> str:
    """Of the set: of a copy it is that of its directory."""
    return (set_of(snapshot.tags) if is_a_set(snapshot) else None) or Path(snapshot.path).name


@contextmanager
def fetched(
    repository: Repository, snapshot: Snapshot, beside: Path, identity: str | None, stop: Event
) -> Iterator[Found]:
    """The set of a snapshot in a new directory within the block, which is removed at its end, however that comes.

    beside: where the directory is made. Raises TaskError, Stopped, OSError.
    """
    if not beside.is_dir():
        raise TaskError(f"{beside} is not there: make it first")
    made_there = is_a_set(snapshot)
    needed = (bytes_of(snapshot.tags) or 0) if made_there else sum(repository.files(snapshot, stop).values())
    free = shutil.disk_usage(beside).free
    if free < needed * 2 + _RESERVE:
        raise TaskError(
            f"the set takes {format_bytes(needed)} to be fetched, and about as much again to be restored, and {beside} "
            f"has {format_bytes(free)} free; choose a place with more"
        )
    with tempfile.TemporaryDirectory(prefix=_FETCHED, dir=beside) as folder:
        fetch = fetch_set if made_there else Repository.fetch
        yield in_directory(fetch(repository, snapshot, Path(folder), stop), LATEST, None, identity)


def brought_back(manifest: Manifest, to: Path) -> Sequence[tuple[str, Path]]:
    """What a person needs first of what was restored into a directory, with where it is: Upkeeper's config, and the
    Compose file.
    """
    facts = next((each.facts for each in manifest.members if each.kind == "files"), {})
    compose = facts.get("compose")
    file = facts.get("compose_file", compose.get("file") if isinstance(compose, dict) else None)
    named = [("config", facts.get("config")), ("Compose file", file)]
    places = [(what, _place(to / "files", path)) for what, path in named if isinstance(path, str)]
    return [(what, place) for what, place in places if place.exists()]


def _place(root: Path, path: str) -> Path:
    """Where a file is below a directory; of a link to somewhere on the former machine, what it was a link to."""
    place = root / path.lstrip("/")
    if place.is_symlink():
        target = os.fspath(place.readlink())
        return root / target.lstrip("/") if target.startswith("/") else place
    return place


def _series(backup: str, path: Path, identity: str | None) -> Backup:
    keys: dict[str, object] = {"name": backup, "path": str(path), "pattern": "*", "kind": "directories"}
    if identity is not None:
        encrypt = {"age_recipients_file": identity, "age_identity_file": identity}
        keys["make"] = {"files": ["/"], "encrypt": encrypt}
    return Backup.model_validate(keys)


def _of(directory: Path) -> str | None:
    """The series of a set; None where it is damaged."""
    try:
        return manifests.read(directory)[0].backup
    except ManifestBroken:
        return None


def _manifest(directory: Path) -> Manifest:
    try:
        return manifests.read(directory)[0]
    except ManifestBroken as error:
        raise TaskError(f"the set {directory.name} is damaged: {error}") from None
