"""The same words that ``upkeeper.quick`` completes to, as click asks for them: where options or quotes stand before."""

import os
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from upkeeper.quick import words
from upkeeper.quick.words import Word


def complete_task(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Names of tasks."""
    return _items(words.tasks(), incomplete)


def complete_target(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Targets of the task that stands before."""
    task, config, state_dir = (ctx.params.get(name) for name in ("task", "config", "state_dir"))
    return _items(words.targets(task or "", config, state_dir, os.environ), incomplete)


def complete_probe(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Services, and their probes."""
    return _items(words.probes(incomplete, ctx.params.get("config"), os.environ), incomplete)


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The latest runs."""
    return _items(words.runs(ctx.params.get("state_dir"), os.environ), incomplete)


def complete_unfinished(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The runs that have not ended."""
    return _items(words.unfinished(ctx.params.get("state_dir"), os.environ), incomplete)


def complete_approval(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Plans that wait for a person."""
    return _items(words.approvals(ctx.params.get("state_dir"), os.environ), incomplete)


def complete_remedy(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Remedies of the config."""
    return _items(words.remedies(ctx.params.get("config"), os.environ), incomplete)


def complete_backup(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Series of backups in directories."""
    return _items(words.backups(ctx.params.get("config"), os.environ), incomplete)


def complete_verifiable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Series whose sets can be verified."""
    return _items(words.verifiable(ctx.params.get("config"), os.environ), incomplete)


def complete_set(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Sets of the series that ``--name`` says, or of all."""
    return _items(words.sets(ctx.params.get("name"), ctx.params.get("config"), os.environ), incomplete)


def complete_job(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Jobs of the schedule."""
    return _items(words.jobs(ctx.params.get("config"), os.environ), incomplete)


def _items(found: Iterable[Word], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(word.value, help=word.help) for word in found if word.value.startswith(incomplete)]
