"""A restic repository that sets are copied to and fetched from, through restic's command line. Every method blocks.

What restic's exit status says is not relied on: a snapshot is listed, and compared with the manifest of the set.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from exporter.backups.restic import PASSED_ON, Opening, ResticFailed, opening
from exporter.inventory.backups import ResticAccess
from remediator.model.task import TaskError
from remediator.tasks.backup.copies import locks
from remediator.tasks.backup.copies.explained import explained
from remediator.tasks.backup.piped import Piped
from remediator.tasks.backup.sink import CHUNK

_IDLE_SECONDS = 1800.0
PATIENCE_SECONDS = 60.0
"""For what should answer at once: from 0.17 on restic itself tries for a quarter of an hour to reach a repository."""
_MAX_LINE = 1024 * 1024
_MAX_ANSWER = 256 * 1024**2

Progress = Callable[[int, int], None]
"""Bytes that are done, and all of them."""


@dataclass(frozen=True)
class Snapshot:
    """time: Unix seconds. path: of the one directory that it was made of."""

    id: str
    time: float
    path: str
    host: str
    tags: Sequence[str]


@dataclass(frozen=True)
class Pouring:
    """What the snapshot of a stream is. time: Unix seconds."""

    host: str
    tags: Sequence[str]
    time: float


class Repository:
    """cache: directory for restic's cache; None for none. Every method raises TaskError, Stopped."""

    def __init__(self, access: ResticAccess, cache: Path | None, program: str = "restic") -> None:
        self._access = access
        self._cache = cache
        self._program = program

    def __str__(self) -> str:
        access = self._access
        return f"the repository {access.repository or f'that {access.repository_file} names'}"

    def locks(self, stop: Event) -> list[locks.Lock]:
        """Those that there are now."""
        ids = self._text(["list", "locks", "--no-lock"], stop).split()
        found = []
        for id_ in ids:
            try:
                found.append(locks.parse(id_, self._text(["cat", "lock", id_, "--no-lock"], stop)))
            except TaskError:
                if id_ in self._text(["list", "locks", "--no-lock"], stop).split():
                    raise
        return found

    def unlock(self, stop: Event) -> None:
        """Removes what restic takes for dead: see locks.to_unlock."""
        self._text(["unlock"], stop)

    def snapshots(self, tags: Sequence[str], stop: Event) -> list[Snapshot]:
        """Those that have all of these tags and are of one directory, the newest first."""
        text = self._text(["snapshots", "--json", "--no-lock", f"--tag={','.join(tags)}"], stop)
        try:
            found = [_snapshot(each) for each in json.loads(text or "null") or ()]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TaskError(f"the list of snapshots of {self} is not understood: {type(error).__name__}") from None
        return sorted((each for each in found if each.path), key=lambda each: each.time, reverse=True)

    def back_up(
        self, directory: Path, host: str, tags: Sequence[str], time: float, progress: Progress, stop: Event
    ) -> None:
        """Makes a snapshot of a directory, dated as said."""
        seen = _Statuses(progress)
        dated = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
        options = ["--json", f"--host={host}", f"--time={dated}", *(f"--tag={tag}" for tag in tags)]
        self._run(["backup", *options, "--", str(directory)], stop, seen.write, _IDLE_SECONDS)

    def pour(self, pouring: Pouring, path: str, stop: Event) -> Piped:
        """A restic that makes a snapshot of what is written to its input, as the file of a path; see ``end``."""
        dated = datetime.fromtimestamp(pouring.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
        options = ["--quiet", f"--host={pouring.host}", f"--time={dated}", *(f"--tag={tag}" for tag in pouring.tags)]
        command, opened = self._command(["backup", *options, "--stdin", f"--stdin-filename={path}"])
        try:
            return Piped(command, stop, environment=_environment(opened), stdin=subprocess.PIPE)
        except OSError as error:
            raise TaskError(f"{command[0]} cannot be run: {error.strerror or error}") from None

    def end(self, running: Piped) -> None:
        """Waits until it has made its snapshot."""
        while running.read(CHUNK):
            pass  # it is told to be quiet
        status, said = running.end()
        self._require_success(status, said)

    def require_poured(self, pouring: Pouring, path: str, size: int, stop: Event) -> None:
        """Raises TaskError unless there is a snapshot of that file with so many bytes."""
        there = [each for each in self.snapshots(pouring.tags, stop) if each.path == f"/{path}"]
        if not any(self.size(each, stop) == size for each in there):
            raise TaskError(f"{self} has no snapshot of the {size} bytes of {path} that were written to it")

    def size(self, snapshot: Snapshot, stop: Event) -> int | None:
        """Bytes of the file that a snapshot was made of; None where it was made of a directory."""
        found: dict[str, int] = {}
        lines = _Lines(lambda line: found.update(_node(line, "")))
        self._run(["ls", "--json", "--no-lock", snapshot.id], stop, lines.write)
        lines.finish()
        return found.get(snapshot.path.lstrip("/"))

    def dump(self, snapshot: Snapshot, take: Callable[[bytes], None], stop: Event) -> None:
        """Gives the content of the file that a snapshot was made of, in pieces."""
        self._run(["dump", "--no-lock", snapshot.id, snapshot.path], stop, take, _IDLE_SECONDS)

    def forget(self, ids: Sequence[str], stop: Event) -> None:
        """Removes these snapshots; what they held stays until somebody prunes."""
        for id_ in ids:
            self._text(["forget", id_], stop)

    def files(self, snapshot: Snapshot, stop: Event) -> dict[str, int]:
        """Bytes of each file of a snapshot, by its path below the directory that it was made of."""
        found: dict[str, int] = {}
        lines = _Lines(lambda line: found.update(_node(line, snapshot.path)))
        self._run(["ls", "--json", "--no-lock", snapshot.id], stop, lines.write)
        lines.finish()
        return found

    def read(self, snapshot: Snapshot, path: str, stop: Event) -> bytes:
        """A small file of a snapshot, by its path below its directory."""
        return self._answer(["dump", "--no-lock", snapshot.id, f"{snapshot.path}/{path}"], stop)

    def fetch(self, snapshot: Snapshot, target: Path, stop: Event) -> Path:
        """Restores a snapshot below a directory; the set in it."""
        command = ["restore", "--no-lock", f"--target={target}", snapshot.id]
        self._run(command, stop, lambda _: None, 24 * _IDLE_SECONDS)  # of which older ones say nothing meanwhile
        return target / snapshot.path.lstrip("/")

    def _text(self, arguments: Sequence[str], stop: Event) -> str:
        return self._answer(arguments, stop).decode("utf-8", "replace")

    def _answer(self, arguments: Sequence[str], stop: Event) -> bytes:
        found = bytearray()

        def take(data: bytes) -> None:
            found.extend(data)
            if len(found) > _MAX_ANSWER:
                raise TaskError(f"restic {arguments[0]} of {self} answers more than can be read")

        self._run(arguments, stop, take)
        return bytes(found)

    def _run(
        self, arguments: Sequence[str], stop: Event, take: Callable[[bytes], None], idle: float | None = None
    ) -> None:
        """idle: seconds without output after which it is ended."""
        command, opened = self._command(arguments)
        try:
            patience = PATIENCE_SECONDS if idle is None else idle
            with Piped(command, stop, environment=_environment(opened), idle=patience) as running:
                try:
                    while data := running.read(CHUNK):
                        take(data)
                    status, said = running.end()
                except TaskError:
                    if not running.hung:
                        raise
                    status, said = 1, [*running.said, f"no answer within {patience:g} s"][:1]
        except OSError as error:
            raise TaskError(f"{command[0]} cannot be run: {error.strerror or error}") from None
        self._require_success(status, said)

    def _command(self, arguments: Sequence[str]) -> tuple[list[str], Opening]:
        program = shutil.which(self._program)
        if program is None:
            raise TaskError("restic is not installed: install the package restic")
        try:
            opened = opening(self._access, self._cache)
        except ResticFailed as error:
            raise TaskError(str(error)) from None
        return [program, *opened.options, *arguments], opened

    def _require_success(self, status: int, said: Sequence[str]) -> None:
        if status:
            secrets = self._command([])[1].secrets
            raise TaskError(explained(str(self), self._access.password_file, status, said, secrets))


def _environment(opened: Opening) -> dict[str, str]:
    ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**ours, **opened.environment, "TZ": "UTC", "RESTIC_PROGRESS_FPS": "1"}


def _snapshot(each: Mapping[str, Any]) -> Snapshot:
    paths = each.get("paths") or []
    time = datetime.fromisoformat(str(each["time"])).timestamp()
    path = str(paths[0]) if len(paths) == 1 else ""
    return Snapshot(str(each["id"]), time, path, str(each.get("hostname", "")), list(each.get("tags") or ()))


def _node(line: bytes, above: str) -> Iterator[tuple[str, int]]:
    """A line of ``restic ls --json`` where it is a file below a directory. Raises TaskError."""
    try:
        fields = json.loads(line)
        path, size = str(fields.get("path", "")), int(fields.get("size", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise TaskError(f"what restic lists is not understood: {type(error).__name__}") from None
    if fields.get("type") == "file" and path.startswith(f"{above}/"):
        yield path[len(above) + 1 :], size


class _Lines:
    """Takes bytes, and gives each whole line to ``take``."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._rest = b""

    def write(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MAX_LINE:
            raise TaskError("restic writes a line of more than a mebibyte")
        for line in whole:
            if line.strip():
                self._take(line)

    def finish(self) -> None:
        if self._rest.strip():
            self._take(self._rest)


class _Statuses:
    """Takes what ``restic backup --json`` writes, and tells how far it is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lines = _Lines(self._line)

    def write(self, data: bytes) -> None:
        self._lines.write(data)

    def _line(self, line: bytes) -> None:
        try:
            fields = json.loads(line)
            if fields.get("message_type") == "status":
                self._progress(int(fields.get("bytes_done", 0)), int(fields.get("total_bytes", 0)))
        except (ValueError, TypeError, AttributeError):
            return  # of another version: what is there in the end is looked at anyhow
