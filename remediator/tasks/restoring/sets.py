"""Which set of a series is meant, and what it says of itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from exporter.backups.directory import BackupDirectory
from exporter.backups.manifest import Manifest, ManifestBroken
from exporter.backups.manifest import read as read_manifest
from exporter.backups.sets import BackupSet
from exporter.base.text import nearest
from exporter.inventory.backups import MANIFEST, Backup
from remediator.model.task import TaskError
from remediator.tasks.restoring.checked import SetFiles

LATEST = "latest"
BEFORE = ".before-restore-"
"""Begins the names of sets of what was there before a restore in place. The dot keeps them out of the series."""
_STATES = {
    "in_progress": "is still being written",
    "incomplete": "is not complete: a backup was interrupted",
    "unreadable": "cannot be read by this user",
    "future": "is dated in the future, so its clock or this machine's is wrong",
}


@dataclass(frozen=True)
class ChosenSet:
    """A complete set with a manifest that can be read."""

    name: str
    directory: Path
    manifest: Manifest
    digest: str
    """SHA-256 of the manifest, which names exactly this set."""
    date: float | None
    """Unix seconds: when it was made."""
    identity: str | None = None
    """File of the key of what is encrypted in it."""

    @property
    def content(self) -> SetFiles:
        return SetFiles(self.directory, self.identity)


def choose(series: Backup, name: str, clock: Callable[[], float]) -> ChosenSet:
    """The set of this name, or the newest complete one. Blocks. Raises TaskError where it must not be used.

    One that is not complete is refused, and one that a proof has shown to be damaged: fails closed. A drill that failed
    says nothing of that: what is in the set is as it was, and it may be all there is.
    """
    if name.startswith(BEFORE) and "/" not in name and not name.endswith(".partial"):
        return of(series, BackupSet(name, "complete", None, None))
    found = every(series, clock)
    if name == LATEST:
        complete = [each for each in found if each.state == "complete"]
        if not complete:
            raise TaskError(f"{series.name} has no complete set; see: upkeeper sets {series.name}")
        one = max(complete, key=lambda each: (each.date or 0.0, each.name))
    else:
        by_name = {each.name: each for each in sorted(found, key=lambda each: each.state == "complete")}
        if name not in by_name:
            hint = nearest(name, by_name) or f"see: upkeeper sets {series.name}"
            raise TaskError(f"{series.name} has no set {name!r}; {hint}")
        one = by_name[name]
    if one.state != "complete":
        raise TaskError(f"the set {one.name} {_STATES[one.state]}; choose another: upkeeper sets {series.name}")
    shown_by = {proof: shown for proof, shown in one.proofs.items() if proof != "drilled"}
    failed = [f"{proof}: {shown.detail}" for proof, shown in shown_by.items() if not shown.success]
    if failed:
        raise TaskError(
            f"the set {one.name} is damaged ({failed[0]}); choose another, or if it was mended: "
            f"upkeeper verify {series.name} --set {one.name}"
        )
    return of(series, one)


def of(series: Backup, one: BackupSet) -> ChosenSet:
    """What a set of the series says of itself. Blocks. Raises TaskError."""
    directory = Path(cast(str, series.path)) / one.name
    if not directory.is_dir() or not (directory / MANIFEST).exists():
        raise TaskError(
            f"the set {one.name} has no {MANIFEST}, so nobody can tell whether it is whole: copy it by hand"
        )
    try:
        manifest, digest = read_manifest(directory)
    except ManifestBroken as error:
        raise TaskError(f"the set {one.name} is damaged: {error}") from None
    if manifest.backup != series.name:
        raise TaskError(f"the manifest of {one.name} is that of another backup, {manifest.backup}")
    encrypt = series.make.encrypt if series.make is not None else None
    identity = None if encrypt is None else encrypt.age_identity_file
    if manifest.encrypted and identity is None:
        raise TaskError(f"the set {one.name} is encrypted: name the file of its key in make.encrypt.age_identity_file")
    return ChosenSet(one.name, directory, manifest, digest, one.date, identity)


def every(series: Backup, clock: Callable[[], float]) -> Sequence[BackupSet]:
    """All sets of a series, whatever their state. Blocks. Raises TaskError."""
    try:
        return BackupDirectory(series, clock).read()
    except OSError as error:
        raise TaskError(f"cannot read {series.path}: {error.strerror or error}") from error
