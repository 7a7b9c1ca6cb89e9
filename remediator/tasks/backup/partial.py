"""A set that is being made: a directory under a temporary name, which becomes the set by being renamed, last of all."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.backups import manifest as manifests
from exporter.backups.manifest import Manifest, ManifestBroken
from exporter.base.file_lock import AlreadyLocked, lock_directory
from exporter.base.replace_file import replace_file
from exporter.inventory.backups import MANIFEST
from remediator.model.task import TaskError
from remediator.tasks.backup import journal as journals
from remediator.tasks.backup.journal import JOURNAL, Journal, Made, Owner
from remediator.tasks.backup.names import PARTIAL
from remediator.tasks.backup.sources.source import Copied


@dataclass(frozen=True)
class PartialSet:
    """One of them. Its methods block, and raise OSError and TaskError.

    series: the directory that holds the sets. name: of the set that it becomes.
    """

    series: Path
    name: str

    @property
    def path(self) -> Path:
        return self.series / f"{self.name}{PARTIAL}"

    @property
    def final(self) -> Path:
        return self.series / self.name

    def written(self) -> int:
        """Bytes that are in it so far."""
        found = (Path(at) / name for at, _, names in os.walk(self.path) for name in names)
        return sum(file.lstat().st_size for file in found)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps everybody else from working on it, or removing it, within the block."""
        try:
            descriptor = lock_directory(self.path)
        except AlreadyLocked:
            raise TaskError(f"{self.path} is being worked on by another process") from None
        try:
            yield
        finally:
            os.close(descriptor)

    def begin(self, backup: str, owner: Owner, started: float) -> Journal:
        """Its journal; where it is not there yet, it is made."""
        if not self.series.is_dir():
            raise TaskError(f"{self.series} is not there: make it, or mount what it should be on")
        self.path.mkdir(mode=0o700, exist_ok=True)
        with self.held():
            found = journals.read(self.path)
            if found is None:
                if not _holds_nothing(self.path):
                    raise TaskError(f"{self.path} is somebody else's: it holds files, and no journal of ours")
                found = Journal(backup=backup, owner=owner, started=started)
                journals.write(self.path, found)
        if (found.backup, found.owner) != (backup, owner):
            raise TaskError(f"{self.path} is being made by {found.owner.host}, for the backup {found.backup}")
        return found

    def add(self, key: str, kind: str, name: str, copied: Copied) -> None:
        """Notes that a member is on disk; so are the names of its files then."""
        for folder in {(self.path / file.path).parent for file in copied.files}:
            for each in (folder, *folder.parents):
                _sync(each)
                if each == self.path:
                    break
        journal = self._journal()
        made = Made.of(copied.member(kind, name), copied.files)
        failed = {each: why for each, why in journal.failed.items() if each != key}
        journals.write(self.path, journal.model_copy(update={"made": {**journal.made, key: made}, "failed": failed}))

    def fail(self, key: str, why: str) -> None:
        """Notes that a member could not be made: the set will not be finished."""
        journal = self._journal()
        journals.write(self.path, journal.model_copy(update={"failed": {**journal.failed, key: why}}))

    def finish(self, keys: Sequence[str], host: str, made_by: str, now: float) -> Manifest:
        """Writes the manifest and gives the set its name. Done twice, the second time finds it done.

        Raises TaskError where a member of these keys is missing; then nothing is left of it.
        """
        done = self._done()
        if done is not None:
            return done
        if not (self.path / MANIFEST).exists():
            journal = self._journal()
            missing = [key for key in keys if key not in journal.made]
            if missing or journal.failed:
                why = "; ".join(f"{key}: {reason}" for key, reason in journal.failed.items())
                self.remove()
                raise TaskError(f"no set was made: {why or f'{missing[0]} is missing'}")
            self._write_manifest(journal, keys, host, made_by, now)
        written, _ = manifests.read(self.path)
        (self.path / JOURNAL).unlink(missing_ok=True)
        _sync(self.path)
        if self.final.exists():
            raise TaskError(f"{self.final} has come to be meanwhile; the new set stays in {self.path.name}")
        self.path.rename(self.final)
        _sync(self.series)
        return written

    def remove(self) -> int:
        """Removes it; how many bytes its files had. It may be gone already."""
        freed = allocated(self.path)
        if self.path.exists():
            shutil.rmtree(self.path)
        _sync(self.series)
        return freed

    def _done(self) -> Manifest | None:
        if self.path.exists() or not (self.final / MANIFEST).exists():
            return None
        return manifests.read(self.final)[0]

    def _journal(self) -> Journal:
        journal = journals.read(self.path)
        if journal is None:
            raise TaskError(f"{self.path} is gone, or has no journal any more")
        return journal

    def _write_manifest(self, journal: Journal, keys: Sequence[str], host: str, made_by: str, now: float) -> None:
        made = [journal.made[key] for key in keys]
        files = [file for each in made for file in each.set_files()]
        self._require_sizes(files)
        manifest = Manifest(
            backup=journal.backup,
            host=host,
            made_by=made_by,
            started=journal.started,
            finished=now,
            files=files,
            members=[each.member() for each in made],
        )
        replace_file(self.path / MANIFEST, manifests.render(manifest), mode=0o600, durable=True)

    def _require_sizes(self, files: Sequence[manifests.SetFile]) -> None:
        """The files are there as they were noted, and no others: such as an interrupted run left behind."""
        wanted = {file.path: file.bytes for file in files}
        for folder, _, names in os.walk(self.path):
            for name in names:
                file = Path(folder) / name
                path = os.fspath(file.relative_to(self.path))
                if path not in wanted:
                    if path != JOURNAL:
                        file.unlink()
                elif file.lstat().st_size != wanted.pop(path):
                    raise TaskError(f"{file} changed since it was written")
        wanted.pop(JOURNAL, None)
        if wanted:
            raise TaskError(f"{self.path / next(iter(wanted))} is gone since it was written")


@dataclass(frozen=True)
class Leftover:
    """What an earlier run of a series left unfinished."""

    partial: PartialSet
    whole: bool
    """It has its manifest, and only lacks its name."""
    bytes: int
    """That it takes on disk."""


def leftovers(
    series: Path, backup: str, owner: Owner, matches: Callable[[str], bool]
) -> tuple[list[Leftover], list[str]]:
    """Those that are this owner's and that nobody works on, and notes on others. Blocks. Raises OSError."""
    found: list[Leftover] = []
    notes: list[str] = []
    for entry in sorted(series.iterdir()):
        name = entry.name.removesuffix(PARTIAL)
        if name.startswith("."):
            continue  # no set of the series: what was there before a restore in place
        if name == entry.name or not matches(name) or not entry.is_dir() or entry.is_symlink():
            continue
        partial = PartialSet(series, name)
        journal = journals.read(entry)
        manifest = _manifest(entry)
        if journal is None and (manifest is None or manifest.backup != backup or manifest.host != owner.host):
            if not _holds_nothing(entry):
                notes.append(f"{entry.name} is not ours, or lost its journal: it is left alone.")
                continue
            found += _unless_held(partial, notes, whole=False)
        elif journal is not None and (journal.backup != backup or journal.owner != owner):
            notes.append(f"{entry.name} belongs to {journal.owner.host}, backup {journal.backup}: it is left alone.")
        else:
            found += _unless_held(partial, notes, whole=manifest is not None)
    return found, notes


def _unless_held(partial: PartialSet, notes: list[str], *, whole: bool) -> list[Leftover]:
    """The one leftover; none, and a note, where another process works on it."""
    try:
        with partial.held():
            return [Leftover(partial, whole=whole, bytes=allocated(partial.path))]
    except TaskError as error:
        notes.append(f"{error}.")
        return []


def _holds_nothing(directory: Path) -> bool:
    """Whether it was left before its journal was written: there is at most the beginning of that in it."""
    return all(entry.name.startswith(f".{JOURNAL}.") for entry in directory.iterdir())


def allocated(directory: Path) -> int:
    """Bytes that the files below a directory take on disk. Blocks. Raises OSError."""
    return sum((Path(at) / file).lstat().st_blocks * 512 for at, _, files in os.walk(directory) for file in files)


def _manifest(directory: Path) -> Manifest | None:
    try:
        return manifests.read(directory)[0]
    except ManifestBroken:
        return None


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
