"""What `upkeeper check` says of a config: first of the file itself, then of how it fits this machine.

Errors are the file's own and are wrong everywhere. Warnings are about this machine: the file may be meant for another.
"""

import asyncio
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from exporter.base.text import format_time
from exporter.base.units import format_bytes, format_duration
from exporter.configfile.file import Loaded, load, problem_at
from exporter.configfile.named_files import named_files
from exporter.configfile.problem import ConfigError, Problem, in_order
from exporter.configfile.source import KeyPath
from exporter.docker.engine import DockerEngine
from exporter.host.mounts import MOUNTINFO, parse_mountinfo
from exporter.inventory.collector import CollectorSettings
from remediator.config.config import Config
from remediator.model.task import Parameters
from remediator.schedule.calendar import Calendar
from remediator.statedir import StateDir
from remediator.tasks.registry import FACTS, build_tasks
from remediator.tasks.resources import Resources
from upkeeper.look.check_accepted import accepted_problems
from upkeeper.look.check_gates import Complaints, complaints, gate_problems
from upkeeper.look.check_limits import limit_problems
from upkeeper.look.check_overlaps import Location, overlaps, place_of
from upkeeper.look.check_remedies import choice, remedy_problems
from upkeeper.look.check_schedule import schedule_problems

_DOCKER_SECONDS = 3.0


@dataclass(frozen=True)
class MachineFacts:
    """What the checks need to know apart from the file."""

    targets: Mapping[str, Collection[str]]
    """The targets of each task that there is."""
    found_later: Collection[str] = ()
    """Tasks that may have more targets at another time: containers come and go."""
    directories: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with a directory that is measured, by its path."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with a file that is read, such as one that holds a secret, by its path."""
    places: Mapping[str, Location | None] = field(default_factory=dict)
    """Where the log directories are, by their paths."""
    parameters: Mapping[str, type[Parameters]] = field(default_factory=dict)
    """What each task takes."""
    age_missing: bool = False
    """The program that encrypts sets is not installed."""
    gates: Complaints = field(default_factory=dict)
    """What is wrong with the queries of gates that are none."""
    gates_unknown: str = ""
    """Why those could not be looked at."""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


def coming(path: Path | None, now: float, env: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """What the schedule of a config runs next: each job and when, as RFC 3339 has it, the soonest first.

    now: Unix seconds. Empty for a config that is not valid.
    """
    try:
        calendar = Calendar.of(load(path, Config, env=env).value.schedule)
    except ConfigError:
        return []
    due = [(calendar.crons[job.name].after(now), job.name) for job in calendar.jobs]
    return [(name, format_time(moment)) for moment, name in sorted((moment, name) for moment, name in due if moment)]


def tells_nobody(path: Path | None, env: Mapping[str, str] = os.environ) -> bool:
    """Whether by this file no person hears of alerts; False of one with mistakes."""
    try:
        return load(path, Config, env=env).value.tells_nobody
    except ConfigError:
        return False


async def check(path: Path | None, env: Mapping[str, str] = os.environ, state: Path | None = None) -> list[Problem]:
    """Every problem of a config file, errors and warnings, in the order of the file. None is always well.

    state: the state directory of the stack that it is for, by default the one that would be found.
    """
    try:
        loaded = load(path, Config, env=env)
    except ConfigError as error:
        return in_order([*error.problems, *unknown_tasks(path, error)])
    return findings(loaded, await gather(loaded, state or StateDir.find(None, env).root))


def unknown_tasks(path: Path | None, error: ConfigError) -> Iterator[Problem]:
    """What a file with other mistakes says of tasks that there are not: else one hears of them only afterwards."""
    if error.source is None:
        return
    schedule = error.source.data.get("schedule")
    lists = {
        ("remedies",): error.source.data.get("remedies"),
        ("schedule", "jobs"): schedule.get("jobs") if isinstance(schedule, Mapping) else None,
    }
    for at, entries in lists.items():
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            task = entry.get("task") if isinstance(entry, Mapping) else None
            if isinstance(task, str) and task not in FACTS:
                message = f"there is no task {task!r}"
                yield problem_at(path, error.source, (*at, index, "task"), message, choice(task, FACTS))


def findings(loaded: Loaded[Config], facts: MachineFacts) -> list[Problem]:
    """The problems of a config that is valid by itself. Pure."""
    problems = [
        *remedy_problems(loaded, facts.targets, facts.found_later),
        *schedule_problems(loaded, facts.targets, facts.found_later, FACTS, facts.parameters),
        *gate_problems(loaded, facts.gates, facts.gates_unknown),
        *limit_problems(loaded),
        *accepted_problems(loaded, facts.today),
        *_slower_than_their_interval(loaded),
        *_overlapping(loaded, facts),
        *_rotated_too_late(loaded),
    ]
    for key, path, _ in _directories(loaded.value):
        if path in facts.directories:
            message = f"{path!r} {facts.directories[path]}"
            problems.append(loaded.problem(key, message, severity="warning"))
    for index, backup in enumerate(loaded.value.backups):
        if facts.age_missing and backup.make is not None and backup.make.encrypt is not None:
            message = "age is not installed here, which encrypts sets; install the package age"
            problems.append(loaded.problem(("backups", index, "make", "encrypt"), message, severity="warning"))
    for file in named_files(loaded.value):
        if file.path in facts.files:
            message = f"{file.path!r} {facts.files[file.path]}"
            problems.append(loaded.problem(file.key, message, severity="warning"))
    return in_order(problems)


async def gather(loaded: Loaded[Config], state: Path) -> MachineFacts:
    """Looks at this machine: the tasks' targets, the directories and files that the config names, and its queries."""
    resources = Resources(loaded.value, docker=lambda: DockerEngine(loaded.value.docker.host, _DOCKER_SECONDS))
    try:
        tasks = build_tasks(loaded.value, resources)
        targets = await asyncio.gather(*(task.targets() for task in tasks.values()))
        parameters = {name: task.parameters for name, task in tasks.items()}
    finally:
        resources.close()
    directories = {path: directory_problem(Path(path), rotated) for _, path, rotated in _directories(loaded.value)}
    files: dict[str, str] = {}
    for file in named_files(loaded.value):
        files[file.path] = files.get(file.path) or file_problem(Path(file.path), file.secret)
    wrong_gates, unknown = await complaints(loaded.value, state)
    mounts = parse_mountinfo(MOUNTINFO.read_bytes()) if len(loaded.value.logs) > 1 else []
    return MachineFacts(
        targets=dict(zip(tasks, targets, strict=True)),
        found_later={facts.name for facts in FACTS.values() if facts.discovers},
        directories={path: problem for path, problem in directories.items() if problem},
        files={path: problem for path, problem in files.items() if problem},
        places={directory.path: place_of(directory.path, mounts) for directory in loaded.value.logs},
        parameters=parameters,
        age_missing=shutil.which("age") is None,
        gates=wrong_gates,
        gates_unknown=unknown,
    )


def _directories(config: Config) -> Iterator[tuple[KeyPath, str, bool]]:
    """Directories that are measured: key, path, and whether what they hold is rotated too."""
    for index, backup in enumerate(config.backups):
        if backup.path is not None:
            yield ("backups", index, "path"), backup.path, False
    for index, server in enumerate(config.neo4j):
        if server.data_directory is not None:
            yield ("neo4j", index, "data_directory"), server.data_directory, False
    for index, directory in enumerate(config.logs):  # last, since the most is asked of these
        yield ("logs", index, "path"), directory.path, True


def directory_problem(path: Path, rotated: bool = True) -> str:
    """What keeps a directory from being measured here, and rotated, as the end of a sentence; empty if nothing does."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot be accessed here: {error.strerror}"
    if not stat.S_ISDIR(mode):
        return "is not a directory"
    if rotated:
        return "" if os.access(path, os.R_OK | os.W_OK | os.X_OK) else "may not be read and written by this user"
    return "" if os.access(path, os.R_OK | os.X_OK) else "may not be read by this user"


def file_problem(path: Path, secret: bool) -> str:
    """What is wrong with a file that is read, as the end of a sentence; empty if nothing is.

    secret: only its owner should be able to read it.
    """
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        return f"cannot be read here: {error.strerror}"
    if not content.strip():
        return "is empty"
    if mode & stat.S_IROTH and secret:
        return f"may be read by everybody (mode {stat.S_IMODE(mode):04o}); chmod 600 it"
    return ""


def _overlapping(loaded: Loaded[Config], facts: MachineFacts) -> Iterator[Problem]:
    """Log directories that rotate each other's logs: each by its own rules, so the stricter ones win."""
    logs = loaded.value.logs
    for overlap in overlaps(logs, facts.places):
        one, other = logs[overlap.later], logs[overlap.earlier]
        message = f"{one.path!r} and {other.path!r} of {other.name!r} hold the same logs, which both rotate"
        hint = "exclude them from one of the two with `exclude:`, or remove one"
        yield loaded.problem(("logs", overlap.later, "path"), message, hint, "warning")


def _rotated_too_late(loaded: Loaded[Config]) -> Iterator[Problem]:
    """Log directories that one log alone may take over the limit, long before it is rotated."""
    for index, directory in enumerate(loaded.value.logs):
        largest = directory.rotation.max_file_bytes
        if largest > directory.max_bytes:
            message = (
                f"one log of {format_bytes(largest)} (`rotation.max_file_bytes`), which is not rotated yet,"
                f" takes the directory over its limit of {format_bytes(directory.max_bytes)}"
            )
            hint = "set `rotation.max_file_bytes` well below `max_bytes`"
            yield loaded.problem(("logs", index, "max_bytes"), message, hint, "warning")


def _slower_than_their_interval(loaded: Loaded[Config]) -> Iterator[Problem]:
    """Collectors that may take longer than the time until they should run again."""
    for name, settings in loaded.value.collectors:
        if isinstance(settings, CollectorSettings) and settings.deadline > settings.interval:
            key = ("collectors", name, "deadline")
            deadline, interval = format_duration(settings.deadline), format_duration(settings.interval)
            message = f"the deadline of {deadline} is longer than the interval of {interval}"
            yield loaded.problem(key, message, "a slow collection then delays the next", "warning")
