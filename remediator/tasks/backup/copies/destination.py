"""Copies a set to a destination, and looks whether the copy is there."""

import hashlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from exporter.backups import manifest as manifests
from exporter.backups.manifest import Manifest, ManifestBroken
from exporter.base.text import counted
from exporter.base.units import format_bytes
from exporter.inventory.backups import MANIFEST
from remediator.model.task import TaskError
from remediator.tasks.backup.copies import locks
from remediator.tasks.backup.copies.locks import Here
from remediator.tasks.backup.copies.processes import here
from remediator.tasks.backup.copies.repository import Progress, Repository, Snapshot

OURS = "upkeeper"
"""A tag of every snapshot that Upkeeper makes."""


_MANIFEST = "manifest="
_LOOKED_AT = 10
"""So many copies at most, the newest first, for one that is whole."""


def series_tag(backup: str) -> str:
    return f"backup={backup}"


def _set_tag(digest: str) -> str:
    return f"{_MANIFEST}{digest}"


@dataclass(frozen=True)
class Original:
    """The set that is copied. digest: SHA-256 of its manifest."""

    directory: Path
    manifest: Manifest
    digest: str


@dataclass(frozen=True)
class Looked:
    """newest: Unix seconds, of which the newest set is that has a whole copy. wrong: of the wanted one, for people."""

    newest: float | None
    wrong: str


def _this_machine() -> Here:
    return here(socket.gethostname())


class Destination:
    """A repository that sets are copied to. Its methods block. Raises TaskError, Stopped, OSError.

    machine: tells the processes of this machine, by which a lock is known to be dead.
    """

    def __init__(
        self, repository: Repository, machine: Callable[[], Here] = lambda: here(socket.gethostname())
    ) -> None:
        self._repository = repository
        self._machine = machine

    def __str__(self) -> str:
        return str(self._repository)

    def copy(self, one: Original, progress: Progress, stop: Event) -> str:
        """Where the copy is, once it was found there whole; done twice, the second time only looks."""
        removed = self.clear(stop)
        tags = [OURS, series_tag(one.manifest.backup), _set_tag(one.digest)]
        for snapshot in self._repository.snapshots(tags, stop):
            if self._missing(one, snapshot, stop) is None:
                return self._told(one, snapshot, [*removed, "it was there"])
        host = one.manifest.host or socket.gethostname()
        self._repository.back_up(one.directory, host, tags, one.manifest.started, progress, stop)
        missing = "it makes no snapshot"
        for snapshot in self._repository.snapshots(tags, stop):
            found = self._missing(one, snapshot, stop)
            if found is None:
                return self._told(one, snapshot, removed)
            missing = found
        raise TaskError(f"the copy of {one.directory.name} in {self} is not whole: {missing}")

    def look(self, backup: str, wanted: str, stop: Event) -> "Looked":
        """Whether the copy of a set is still there, whole, without the set itself: by the manifest in the copy.

        wanted: its name. Only lists and manifests are read: a changed byte of a pack is for `restic check`.
        """
        there = self._repository.snapshots([OURS, series_tag(backup)], stop)
        there = [each for each in there if any(tag.startswith(_MANIFEST) for tag in each.tags)]
        lacks = {each.id: self._lacks(each, stop) for each in there if Path(each.path).name == wanted}
        wrong = next(filter(None, lacks.values()), "") if None not in lacks.values() else ""
        newest = None
        for each in there[:_LOOKED_AT]:
            if (lacks[each.id] if each.id in lacks else self._lacks(each, stop)) is None:
                newest = each.time
                break
        if not lacks:
            return Looked(newest, f"the copy of {wanted} is not in {self} any more")
        return Looked(newest, f"the copy of {wanted} in {self} is not whole: {wrong}" if wrong else "")

    def _lacks(self, snapshot: Snapshot, stop: Event) -> str | None:
        """What a copy lacks of what its own manifest says; None where it has all of it."""
        there = self._repository.files(snapshot, stop)
        if MANIFEST not in there:
            return f"{MANIFEST} is missing"
        text = self._repository.read(snapshot, MANIFEST, stop)
        if f"{_MANIFEST}{hashlib.sha256(text).hexdigest()}" not in snapshot.tags:
            return f"{MANIFEST} has another content"
        try:
            manifest = manifests.parse(text)
        except ManifestBroken as error:
            return f"{MANIFEST} {error}"
        return _not_there(manifest, there)

    def _told(self, one: Original, snapshot: Snapshot, remarks: list[str]) -> str:
        files = counted(len(one.manifest.files), "file")
        what = f"snapshot {snapshot.id[:8]} of {self}: {files}, {format_bytes(one.manifest.bytes)}"
        return "; ".join([what, *remarks])

    def _missing(self, one: Original, snapshot: Snapshot, stop: Event) -> str | None:
        """What a snapshot lacks of the set; None where it has all of it."""
        there = self._repository.files(snapshot, stop)
        lacks = _not_there(one.manifest, there)
        if lacks is not None:
            return lacks
        if MANIFEST not in there:
            return f"{MANIFEST} is missing"
        if self._repository.read(snapshot, MANIFEST, stop) != (one.directory / MANIFEST).read_bytes():
            return f"{MANIFEST} has another content"
        return None

    def clear(self, stop: Event) -> list[str]:
        """Removes locks whose processes are gone; what was removed. Raises TaskError where one stays in the way."""
        found = self._repository.locks(stop)
        if not found:
            return []
        dead = locks.to_unlock(found, self._machine())
        if dead:
            self._repository.unlock(stop)
        left = self._repository.locks(stop) if dead else found
        hindering = locks.hindering(left)
        if hindering is not None:
            raise TaskError(
                f"{self} is locked by an {hindering}; wait until that has ended, or if that process is gone for good "
                "run restic unlock there"
            )
        return [f"removed the {lock}, which is gone" for lock in dead]


def _not_there(manifest: Manifest, there: Mapping[str, int]) -> str | None:
    """The first file that is missing, or of another size. Pure."""
    for file in manifest.files:
        size = there.get(_as_json(file.path))
        if size != file.bytes:
            return f"{file.path} {'is missing' if size is None else f'has {size} bytes instead of {file.bytes}'}"
    return None


def _as_json(path: str) -> str:
    """A path as restic's JSON has it: bytes that are not UTF-8 are replaced."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
