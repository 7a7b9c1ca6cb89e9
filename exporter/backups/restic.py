"""A restic repository through restic's command line: its snapshots and their sizes. Read only, and without a lock.

Commands and their JSON: https://restic.readthedocs.io/en/stable/075_scripting.html
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from exporter.base.errors import UpkeeperError
from exporter.base.programs import CommandFailed, Program
from exporter.base.threads import KeyedThreads
from exporter.inventory.backups import Backup, ResticAccess, ResticRepository

T = TypeVar("T")

MADE = "upkeeper-set"
"""A tag of the snapshot that makes a set of ours: of its manifest, in a repository that sets are made in."""

PASSED_ON = ("SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of ours that restic gets besides the few of every program: no RESTIC_* meant for another repository."""

_MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Of the list of snapshots, each of which takes half a kilobyte and the paths that it was made of."""

_ENV_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_USERINFO = re.compile(r"//[^/\s@]*@")
_SHORTEST_SECRET = 4
_LONGEST_REASON = 300


class ResticFailed(UpkeeperError):
    """restic could not be run, or failed. The message is one line for people, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot. It is complete: restic saves it when all its files are there."""

    id: str
    time: float
    """Unix seconds: when the backup began."""
    bytes: int | None
    """Size of the files in it; None where a restic before 0.17 made it, which did not note that."""
    set: str | None = None
    """Of one that makes a set of ours, the set's name."""


def counting(backup: Backup) -> ResticRepository:
    """The repository of a series, with what tells its sets from the other snapshots in it. Pure."""
    assert backup.restic is not None
    if backup.make is None:
        return backup.restic
    return backup.restic.model_copy(update={"tags": [*series_tags(backup.name), MADE]})


def series_tags(backup: str) -> list[str]:
    """What all snapshots have that Upkeeper makes of a series. Pure."""
    return ["upkeeper", f"backup={backup}"]


class Restic:
    """One repository. One restic at a time, which is killed with its children when the caller is cancelled.

    One that cannot be killed, because it waits for a hung file system, costs a thread and a process until it can.

    cache: directory for restic's cache, None for no cache. program: restic, by its path or its name on PATH.
    """

    def __init__(self, repository: ResticRepository, cache: Path | None, program: str = "restic") -> None:
        self._repository = repository
        self._cache = cache
        self._program = program
        self._threads = KeyedThreads()

    async def snapshots(self) -> list[Snapshot]:
        """Those that the config selects. Raises ResticFailed, and exporter.base.threads.StillStuck."""
        wanted = self._repository
        arguments = ["snapshots"]
        arguments += [] if wanted.host is None else [f"--host={wanted.host}"]
        arguments += [f"--tag={','.join(wanted.tags)}"] if wanted.tags else []
        arguments += [f"--path={path}" for path in wanted.paths]
        return await self._run(arguments, parse_snapshots)

    async def size(self, snapshot: str) -> int:
        """Bytes that restoring the snapshot would write. Raises as snapshots does."""
        return await self._run(["stats", "--mode=restore-size", snapshot], parse_size)

    async def _run(self, arguments: Sequence[str], parse: Callable[[str], T]) -> T:
        running = Program()
        try:
            return await self._threads.run("restic", lambda: parse(self._answer(arguments, running)))
        finally:
            running.kill()

    def _answer(self, arguments: Sequence[str], running: Program) -> str:
        """What restic writes. Blocks. Raises ResticFailed."""
        program = shutil.which(self._program)
        if program is None:
            raise ResticFailed(f"{self._program} is not on PATH")
        opened = opening(self._repository, self._cache)
        command = [program, "--json", "--no-lock", *opened.options]
        try:
            done = running.run(
                [*command, *arguments], opened.environment, passed_on=PASSED_ON, max_output=_MAX_ANSWER_BYTES
            )
        except OSError as error:
            raise ResticFailed(f"{program} cannot be run: {error.strerror or error}") from None
        except CommandFailed as error:
            raise ResticFailed(f"restic {error}") from None
        if done.status:
            raise ResticFailed(reason_of(done.errors, done.status, opened.secrets))
        return done.output


@dataclass(frozen=True)
class Opening:
    """What any restic needs to open a repository."""

    options: Sequence[str]
    environment: Mapping[str, str]
    secrets: Sequence[str]
    """What must not be quoted. restic itself quotes no password, but what a cloud or ssh says may hold anything."""


def opening(access: ResticAccess, cache: Path | None) -> Opening:
    """How a repository is opened. Blocks. Raises ResticFailed.

    cache: directory for restic's cache, None for no cache.
    """
    options = [f"--password-file={access.password_file}"]
    if access.repository is not None:
        options.append(f"--repo={access.repository}")
    else:
        options.append(f"--repository-file={access.repository_file}")
    options.append("--no-cache" if cache is None else f"--cache-dir={cache}")
    given = read_env_file(Path(access.env_file)) if access.env_file is not None else {}
    secrets = list(given.values())
    for name in (access.password_file, access.repository_file):
        with suppress(OSError, TypeError):
            secrets.append(Path(name or "").read_text(errors="replace").strip())
    return Opening(options, given, [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET])


def parse_snapshots(answer: str) -> list[Snapshot]:
    """The answer to ``restic snapshots --json``. Pure. Raises ResticFailed when it is of another form."""
    try:
        return [_snapshot(each) for each in json.loads(answer) or ()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResticFailed(f"the list of snapshots is not understood: {type(error).__name__}") from None


def _snapshot(each: Mapping[str, object]) -> Snapshot:
    summary = each.get("summary")
    size = summary.get("total_bytes_processed") if isinstance(summary, dict) else None
    tags = each.get("tags")
    name = None
    if isinstance(tags, list) and MADE in tags:  # a manifest, whose tags say of which set, and how large that is
        said = dict(str(tag).split("=", 1) for tag in tags if "=" in str(tag))
        name = said.get("set")
        size = int(said["bytes"]) if said.get("bytes", "").isdigit() else size
    time = datetime.fromisoformat(str(each["time"])).timestamp()
    return Snapshot(str(each["id"]), time, size if isinstance(size, int) else None, name)


def parse_size(answer: str) -> int:
    """The answer to ``restic stats --json`` about one snapshot, in bytes. Pure.

    Raises ResticFailed when it is of another form, or about no snapshot: restic does not call that an error.
    """
    try:
        document = json.loads(answer)
        size, count = int(document["total_size"]), document.get("snapshots_count", 1)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResticFailed(f"the size of a snapshot is not understood: {type(error).__name__}") from None
    if count != 1:
        raise ResticFailed("the snapshot whose size was asked for is gone")
    return size


def reason_of(errors: str, status: int, secrets: Sequence[str]) -> str:
    """Why restic failed, in one line without any of the secrets. Pure. Newer versions print that as JSON too."""
    lines = [_message(line) for line in errors.splitlines() if line.strip()]
    fatal = [line for line in lines if "Fatal:" in line]
    reason = (fatal or lines or [""])[-1].rpartition("Fatal:")[2].strip() or f"exit status {status}"
    for secret in sorted(secrets, key=len, reverse=True):
        for part in secret.splitlines():
            if len(part) >= _SHORTEST_SECRET:
                reason = reason.replace(part, "***")
    return f"restic: {_USERINFO.sub('//***@', reason)[:_LONGEST_REASON]}"


def _message(line: str) -> str:
    with suppress(ValueError, TypeError, AttributeError):
        message = json.loads(line).get("message")
        if isinstance(message, str) and message:
            return message.splitlines()[0]
    return line


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a file of ``NAME=value`` lines: with # before comments, and quotes around a value if need be.

    Raises ResticFailed, which quotes no line.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ResticFailed(f"env_file {path} cannot be read: {reason}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        match = _ENV_LINE.fullmatch(line)
        if match is None or "\0" in line:
            raise ResticFailed(f"env_file {path}: line {number} is not NAME=value")
        name, value = match.groups()
        quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
        found[name] = value[1:-1] if quoted else value
    return found
