"""Reading what the checks look at: each project and each pattern in a thread of its own, so that one hung mount costs
only what lies on it.
"""

import asyncio
import json
import os.path
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from exporter.base.text import printable
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.findings.compose import load_project
from exporter.findings.envfile import EnvFile, parse_env
from exporter.findings.error_place import place_of
from exporter.findings.files import Mode, TextFile, Unreadable, read_file, read_mode
from exporter.findings.finding import Kind
from exporter.findings.inputs import KEEPS_ALL, DaemonLogs, Inputs
from exporter.findings.paths import is_pattern, matches
from exporter.findings.project import Invocation, Project
from exporter.findings.secretnames import holds_secret
from exporter.inventory.audit import Configuration

log = structlog.get_logger(__name__)

DAEMON_FILE = "/etc/docker/daemon.json"

_ALL: tuple[Kind, ...] = ("project", "env", "text", "mode")
_RANKS = ("config", "script", "env", "key", "secret")
_KEY = b"PRIVATE KEY-----"


@dataclass
class Reading:
    """What one thread has read."""

    kinds: tuple[Kind, ...] = ()
    projects: list[Project] = field(default_factory=list)
    env_files: list[EnvFile] = field(default_factory=list)
    texts: list[TextFile] = field(default_factory=list)
    modes: list[Mode] = field(default_factory=list)
    unread: list[tuple[Kind, str]] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    daemon_logs: DaemonLogs | None = None

    def missed(self, reason: object, kinds: Sequence[Kind] = ()) -> "Reading":
        """Notes what could not be read."""
        self.unread += [(kind, str(reason)) for kind in kinds or self.kinds]
        return self


@dataclass(frozen=True)
class _Unit:
    """Something that is read in one go. name: for people."""

    key: Hashable
    name: str
    kinds: tuple[Kind, ...]
    read: Callable[[], Reading]


def configured(settings: Configuration) -> list[Invocation]:
    """The projects that a config names."""
    return [
        *(Invocation(tuple(text.split(":"))) for text in settings.compose_files),
        *(
            Invocation(tuple(project.files), tuple(project.env_files), project.project_directory or "")
            for project in settings.compose_projects
        ),
    ]


class Gatherer:
    """Reads the files that a configuration names.

    secret_files: further ones, as in its key of that name.
    """

    def __init__(
        self, settings: Configuration, secret_files: Sequence[str] = (), daemon_file: str = DAEMON_FILE
    ) -> None:
        self._settings = settings
        self._secrets = list(dict.fromkeys([*settings.secret_files, *secret_files]))
        self._daemon_file = daemon_file
        self._threads = KeyedThreads()

    def continue_from(self, former: "Gatherer") -> None:
        """Takes over reads that hang, so that none hangs twice."""
        self._threads = former._threads

    async def gather(self, seconds: float, found: Sequence[Invocation] = ()) -> Inputs:
        """Everything that can be read within so many seconds; what cannot is noted in the inputs.

        found: projects that were found elsewhere, for when none is configured.
        """
        named = configured(self._settings)
        units = [*self._units(named or found, not named)]
        readings = await asyncio.gather(*(self._read(unit, seconds) for unit in units))
        return _joined(readings)

    def _units(self, projects: Sequence[Invocation], optional: bool) -> Iterator[_Unit]:
        for project in projects:
            yield _Unit(project, printable(project.files[0]), _ALL, partial(_project, project, optional))
        if projects:
            yield _Unit("daemon", printable(self._daemon_file), (), partial(_daemon, self._daemon_file))
        for pattern in self._settings.env_files:
            yield _Unit(("env", pattern), printable(pattern), ("env", "text", "mode"), partial(_env, pattern))
        for pattern in self._settings.files:
            yield _Unit(("files", pattern), printable(pattern), ("text", "mode"), partial(_files, pattern))
        for pattern in self._secrets:
            yield _Unit(("secret", pattern), printable(pattern), ("mode",), partial(_secret, pattern))

    async def _read(self, unit: _Unit, seconds: float) -> Reading:
        try:
            async with asyncio.timeout(seconds):
                return await self._threads.run(unit.key, unit.read)
        except (TimeoutError, StillStuck):
            return Reading(unit.kinds).missed(f"{unit.name} cannot be read: its file system does not answer in time")
        except Exception as error:  # noqa: BLE001 - the boundary: one strange file costs only what it belongs to
            log.error("reading broke", unit=unit.name, error=type(error).__name__, line=place_of(error))
            return Reading(unit.kinds).missed(f"{unit.name} cannot be read: {type(error).__name__}")


def _joined(readings: Sequence[Reading]) -> Inputs:
    """All readings as one, each file once."""
    unread: dict[Kind, list[str]] = {}
    for kind, reason in (each for reading in readings for each in reading.unread):
        if reason not in unread.setdefault(kind, []):
            unread[kind].append(reason)
    modes = [mode for reading in readings for mode in reading.modes]
    daemons = [reading.daemon_logs for reading in readings if reading.daemon_logs is not None]
    return Inputs(
        owners={path: owner for reading in readings for path, owner in reading.owners.items()},
        projects=[project for reading in readings for project in reading.projects],
        env_files=list({each.path: each for reading in readings for each in reading.env_files}.values()),
        texts=list({each.path: each for reading in readings for each in reading.texts}.values()),
        # What is known to be a secret stays one, also where a pattern of other files matches it.
        modes=list({each.path: each for each in sorted(modes, key=lambda each: _RANKS.index(each.kind))}.values()),
        daemon_logs=daemons[0] if daemons else DaemonLogs(),
        present=frozenset(kind for reading in readings for kind in reading.kinds),
        unread=unread,
    )


def _project(invocation: Invocation, optional: bool) -> Reading:
    """A Compose project with all of its files. optional: as if it were not there when its files cannot be read."""
    gone = [path for path in invocation.env_files if not os.path.lexists(path)] if optional else []
    if optional and not any(os.path.lexists(path) for path in invocation.files):
        return Reading()
    if gone:  # without its variables there would be nothing but false findings
        return Reading(_ALL).missed(f"{printable(gone[0])}, with which the project was started, no longer exists")
    project = load_project(invocation.with_override(os.path.lexists), read_file)
    if optional and not any(path in project.read for path in project.files):
        return Reading()
    reading = Reading(_ALL, projects=[project], env_files=list(project.env_files.values()))
    for reason in project.unread:
        reading.missed(reason, _ALL if reason in project.unreadable else ("project",))
    reading.texts = [file for file in project.read.values() if not file.binary]
    for path, file in project.read.items():
        env = project.env_files.get(path)
        reading.modes.append(_mode(file, "env" if env is not None and _holds_secrets(env) else "config"))
    for section, kind in (("secrets", "secret"), ("configs", "config")):
        node = project.top.get(section)
        for name, one in node.mapping.items() if node is not None else ():
            named = one.at("file")
            if named is not None and named.text:
                try:
                    mode = read_mode(named.text, kind)
                except Unreadable as error:
                    if error.missing:
                        project.missing[kind, name] = named.text
                    else:
                        reading.missed(error, ("mode",))
                else:
                    reading.modes.append(mode)
    owned = [*project.files, *project.read, *(mode.path for mode in reading.modes)]
    reading.owners = dict.fromkeys(map(printable, owned), project.files[0])
    return reading


def _env(pattern: str) -> Reading:
    reading = Reading(("env", "text", "mode"))
    for file in _matches(pattern, reading):
        reading.texts.append(file)
        env = parse_env(file)
        reading.env_files.append(env)
        reading.modes.append(_mode(file, "env" if _holds_secrets(env) else "config"))
    return reading


def _files(pattern: str) -> Reading:
    reading = Reading(("text", "mode"))
    for file in _matches(pattern, reading):
        if not file.binary:
            reading.texts.append(file)
        script = file.mode & 0o111 or file.data.startswith(b"#!")
        reading.modes.append(_mode(file, "key" if _KEY in file.data else "script" if script else "config"))
    return reading


def _secret(pattern: str) -> Reading:
    reading = Reading(("mode",))
    for path in _paths(pattern, reading):
        _add_mode(reading, path, "secret")
    return reading


def _daemon(path: str) -> Reading:
    """What the Docker daemon's config says of logs: https://docs.docker.com/reference/cli/dockerd/"""
    try:
        document = json.loads(read_file(path).data)
        options = document.get("log-opts") or {}
        driver = document.get("log-driver") or KEEPS_ALL
        return Reading(daemon_logs=DaemonLogs(str(driver), bool(options.get("max-size"))))
    except (Unreadable, ValueError, AttributeError, RecursionError):
        return Reading()  # then the daemon's own defaults hold, as far as anybody can tell


def _paths(pattern: str, reading: Reading) -> list[str]:
    paths, problem = matches(pattern)
    if problem:
        reading.missed(f"{printable(pattern)} {problem}")
    return paths


def _matches(pattern: str, reading: Reading) -> Iterator[TextFile]:
    for path in _paths(pattern, reading):
        if is_pattern(pattern) and Path(path).is_dir():
            continue
        try:
            yield read_file(path)
        except Unreadable as error:
            reading.missed(error)


def _add_mode(reading: Reading, path: str, kind: str) -> None:
    try:
        reading.modes.append(read_mode(path, kind))
    except Unreadable as error:
        reading.missed(error, ("mode",))


def _mode(file: TextFile, kind: str) -> Mode:
    return Mode(file.path, file.mode, file.uid, file.gid, kind)


def _holds_secrets(env: EnvFile) -> bool:
    return any(holds_secret(variable.name, variable.value) for variable in env.variables)
