"""A set that is being made in a repository. What is noted of it meanwhile is in a directory of the state directory.

Nothing in the repository is a set before its manifest is there, which is its last snapshot. Each file is one snapshot.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from exporter.backups import manifest as manifests
from exporter.backups.manifest import Manifest, SetFile
from exporter.inventory.backups import MANIFEST
from remediator.model.task import TaskError
from remediator.tasks.backup import journal as journals
from remediator.tasks.backup.copies.destination import Destination
from remediator.tasks.backup.copies.repository import Pouring, Repository
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.journal import Journal, Made, Owner
from remediator.tasks.backup.partial import PartialSet
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.backup.snapshots.poured import Poured, of_a_part
from remediator.tasks.backup.snapshots.tags import manifest_tags, part_tags
from remediator.tasks.backup.sources.source import Copied


@dataclass(frozen=True)
class ResticInto(Into):
    """root: the directory of what has to be a file for a moment."""

    partial: "ResticPartial | None" = None
    host: str = ""
    started: float = 0.0

    @property
    def writes_files(self) -> bool:
        return False

    def sink(self, path: str, source: str, stop: Event) -> Poured:
        assert self.partial is not None
        make = of_a_part(self.partial.repository, self.partial.backup, self.partial.name, self.host, self.started)
        return make(path, source, stop, self.partial.count)

    @contextmanager
    def whole_file(self, path: str, size: int) -> Iterator[Path]:
        target = self.root / path.replace("/", "-")
        try:
            yield target
        finally:
            target.unlink(missing_ok=True)

    def taken(self, target: Path, path: str, source: str, stop: Event) -> SetFile:
        with target.open("rb", buffering=0) as file, self.sink(path, source, stop) as sink:
            while data := file.read(CHUNK):
                sink.write(data)
            return sink.done()


@dataclass(frozen=True)
class ResticPartial(PartialSet):
    """series: the directory of the notes. Its methods block, and raise OSError, TaskError and Stopped."""

    repository: Repository = field(kw_only=True, compare=False)
    backup: str = field(kw_only=True)
    _written: list[int] = field(default_factory=lambda: [0], kw_only=True, compare=False)

    def count(self, size: int) -> None:
        self._written[0] += size

    def written(self) -> int:
        return self._written[0]

    def into(self, owner: Owner, started: float) -> ResticInto:
        return ResticInto(self.path, None, self, owner.host, started)

    def begin(self, backup: str, owner: Owner, started: float) -> Journal:
        self.series.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            Destination(self.repository).clear(Event())
        return super().begin(backup, owner, started)

    def add(self, key: str, kind: str, name: str, copied: Copied) -> None:
        journal = self._journal()
        made = Made.of(copied.member(kind, name), copied.files)
        failed = {each: why for each, why in journal.failed.items() if each != key}
        journals.write(self.path, journal.model_copy(update={"made": {**journal.made, key: made}, "failed": failed}))

    def finish(self, keys: Sequence[str], host: str, made_by: str, now: float) -> Manifest:
        if not self.path.exists():
            raise TaskError(f"{self.name} is not being made any more: see upkeeper sets {self.backup}")
        journal = self._journal()
        if not (self.path / MANIFEST).exists():
            missing = [key for key in keys if key not in journal.made]
            if missing or journal.failed:
                why = "; ".join(f"{key}: {reason}" for key, reason in journal.failed.items())
                self.remove()
                raise TaskError(f"no set was made: {why or f'{missing[0]} is missing'}")
            self._write_manifest(journal, keys, host, made_by, now)
        manifest, digest = manifests.read(self.path)
        tags = manifest_tags(self.backup, self.name, digest, manifest.bytes)
        if not self.repository.snapshots(tags, Event()):
            self._pour_manifest(Pouring(host or socket.gethostname(), tags, manifest.started))
        super().remove()
        return manifest

    def remove(self) -> int:
        """What is noted, and the snapshots of its files, which no manifest makes a set of."""
        left = [each.id for each in self.repository.snapshots(part_tags(self.backup, self.name), Event())]
        if left:
            Destination(self.repository).clear(Event())
            self.repository.forget(left, Event())
        return super().remove()

    def _pour_manifest(self, pouring: Pouring) -> None:
        text = (self.path / MANIFEST).read_bytes()
        with Poured(self.repository, pouring, MANIFEST, "", Event(), lambda _: None) as sink:
            sink.write(text)
            sink.done()

    def _require_sizes(self, files: Sequence[SetFile]) -> None:
        """Every file has a snapshot, of one part each."""
        there = {
            each.path.lstrip("/") for each in self.repository.snapshots(part_tags(self.backup, self.name), Event())
        }
        for file in files:
            if file.path not in there:
                raise TaskError(f"{file.path} is gone from {self.repository} since it was written")
