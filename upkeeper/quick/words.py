"""Tasks, targets, probes and runs, from config file and record: what a word can be completed to. Never the network.

Completion runs at each press of a key, so this reads the YAML and the SQLite file plainly, without the models and
without a lock; what it cannot read it says nothing about. The command itself then checks the word for real.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from remediator.model.taskfacts import Document
from remediator.tasks.backup_verification.facts import BACKUP_VERIFICATION
from remediator.tasks.document import entries, names
from remediator.tasks.registry import FACTS

if TYPE_CHECKING:
    from pathlib import Path

_MOST_SETS = 20

Env = Mapping[str, str]


class Word(NamedTuple):
    """A word, and what it means."""

    value: str
    help: str | None = None


def tasks() -> list[Word]:
    """All that there are."""
    return [Word(name) for name in sorted(FACTS)]


def targets(task: str, config: "Path | None", state_dir: "Path | None", env: Env) -> list[Word]:
    """Of a task: those that the config names, and those of earlier runs."""
    configured = FACTS[task].configured(_config(config, env)) if task in FACTS else ()
    ran = _record(state_dir, env, "SELECT DISTINCT target FROM runs WHERE task = ?", task)
    return [Word(name) for name in sorted({*configured, *(target for (target,) in ran)})]


def probes(incomplete: str, config: "Path | None", env: Env) -> list[Word]:
    """Services that the config names; after ``NAME/``, the probes of that one."""
    document = _config(config, env)
    if "/" not in incomplete:
        return [Word(name) for name in names(document, "services")]
    return [
        Word(f"{service.get('name')}/{probe.get('name', 'live')}")
        for service in entries(document, "services")
        for probe in entries(service, "probes")
    ]


def backups(config: "Path | None", env: Env) -> list[Word]:
    """Series of backups in directories."""
    named = names(
        {"backups": [each for each in entries(_config(config, env), "backups") if each.get("path")]}, "backups"
    )
    return [Word(name) for name in named]


def verifiable(config: "Path | None", env: Env) -> list[Word]:
    """Series whose sets can be verified."""
    return [Word(name) for name in BACKUP_VERIFICATION.configured(_config(config, env))]


def sets(backup: str | None, config: "Path | None", env: Env) -> list[Word]:
    """The word for the newest set, and the sets of a series, or of all, in the reverse order of their names."""
    from fnmatch import fnmatchcase
    from pathlib import Path

    found = []
    for each in entries(_config(config, env), "backups"):
        path, pattern, name = (each.get(key) for key in ("path", "pattern", "name"))
        if isinstance(path, str) and isinstance(pattern, str) and backup in (None, name):
            try:
                there = sorted((entry.name for entry in Path(path).iterdir()), reverse=True)
            except OSError:
                continue
            sets = [one for one in there if fnmatchcase(one, pattern) and not one.endswith(".partial")]
            found += [Word(one, str(name)) for one in sets[:_MOST_SETS]]
    return [Word("latest", "the newest complete set"), *found]


def jobs(config: "Path | None", env: Env) -> list[Word]:
    """Of the schedule: those that the config names, else those that ship."""
    schedule = _config(config, env).get("schedule")
    if isinstance(schedule, dict) and isinstance(schedule.get("jobs"), list):
        return [Word(name) for name in names(schedule, "jobs")]
    return [Word(name) for name in names({"jobs": _shipped("default_schedule.yml")}, "jobs")]


def remedies(config: "Path | None", env: Env) -> list[Word]:
    """Those that the config names, else those that ship."""
    document = _config(config, env)
    if isinstance(document.get("remedies"), list):
        return [Word(name) for name in names(document, "remedies")]
    return [Word(name) for name in names({"remedies": _shipped("default_remedies.yml")}, "remedies")]


def runs(state_dir: "Path | None", env: Env) -> list[Word]:
    """The latest runs."""
    query = "SELECT id, task, target, coalesce(outcome, state) FROM runs ORDER BY id DESC LIMIT 20"
    rows = _record(state_dir, env, query)
    return [Word(str(number), f"{task} on {target}: {outcome}") for number, task, target, outcome in rows]


def unfinished(state_dir: "Path | None", env: Env) -> list[Word]:
    """The runs that have not ended."""
    query = "SELECT id, task, target, state FROM runs WHERE state != 'finished' ORDER BY id DESC LIMIT 20"
    rows = _record(state_dir, env, query)
    return [Word(str(number), f"{task} on {target}: {state}") for number, task, target, state in rows]


def approvals(state_dir: "Path | None", env: Env) -> list[Word]:
    """Those that wait for a person."""
    query = (
        "SELECT approvals.id, task, target FROM approvals JOIN runs ON runs.id = run_id"
        " WHERE approvals.state = 'asked' ORDER BY approvals.id DESC LIMIT 20"
    )
    return [Word(str(number), f"{task} on {target}") for number, task, target in _record(state_dir, env, query)]


def _shipped(file: str) -> Any:
    """A part of the config that is in force where the config has none."""
    from pathlib import Path

    import yaml

    import remediator.config

    return yaml.safe_load(Path(remediator.config.__file__).with_name(file).read_text())


def _config(option: "Path | None", env: Env) -> Document:
    """The config file as it is written; empty when there is none or it cannot be read."""
    from exporter.configfile.find import find_config

    path = find_config(option, env)
    if path is None:
        return {}
    import yaml

    try:
        document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def _record(option: "Path | None", env: Env, query: str, *values: str) -> list[tuple[Any, ...]]:
    """Rows of the record; none when there is no record or it cannot be read at once."""
    import sqlite3
    from contextlib import closing

    from remediator.statedir import StateDir

    database = StateDir.find(option, env).database
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=0.1)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return []
