"""What the shell completes TASK, TARGET, RUN, probes and remedies to: from config file and record, never the network.

Completion runs at each press of a key, so this reads the YAML and the SQLite file plainly, without the models and
without a lock; what it cannot read it says nothing about. The command itself then checks the word for real.
"""

import os
from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from remediator.model.taskfacts import Document
from remediator.tasks.document import entries, names
from remediator.tasks.registry import FACTS


def complete_task(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Names of tasks."""
    return _items(sorted(FACTS), incomplete)


def complete_target(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Targets of the task that stands before: those that the config names, and those of earlier runs."""
    task = ctx.params.get("task") or ""
    configured = FACTS[task].configured(_config(ctx)) if task in FACTS else ()
    ran = _record(ctx, "SELECT DISTINCT target FROM runs WHERE task = ?", task)
    return _items(sorted({*configured, *(target for (target,) in ran)}), incomplete)


def complete_probe(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Services that the config names; after ``NAME/``, the probes of that one."""
    services = entries(_config(ctx), "services")
    if "/" not in incomplete:
        return _items(names({"services": services}, "services"), incomplete)
    probes = [
        f"{service.get('name')}/{probe.get('name', 'live')}"
        for service in services
        for probe in entries(service, "probes")
    ]
    return _items(probes, incomplete)


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The latest runs."""
    rows = _record(ctx, "SELECT id, task, target, coalesce(outcome, state) FROM runs ORDER BY id DESC LIMIT 20")
    return [
        CompletionItem(str(number), help=f"{task} on {target}: {outcome}")
        for number, task, target, outcome in rows
        if str(number).startswith(incomplete)
    ]


def _items(words: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _config(ctx: click.Context) -> Document:
    """The config file as it is written; empty when there is none or it cannot be read."""
    import yaml

    from exporter.configfile.file import find_config

    path = find_config(ctx.params.get("config"), os.environ)
    if path is None:
        return {}
    try:
        document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def _record(ctx: click.Context, query: str, *values: str) -> list[tuple[Any, ...]]:
    """Rows of the record; none when there is no record or it cannot be read at once."""
    import sqlite3
    from contextlib import closing

    from remediator.statedir import StateDir

    database = StateDir.find(ctx.params.get("state_dir"), os.environ).database
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=0.1)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return []
