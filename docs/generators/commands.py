"""docs/cli.md: the command line, from its own help."""

from collections.abc import Iterator

import click

from docs.generators.markdown import blocks
from upkeeper.cli import cli
from upkeeper.table import SECTIONS

WIDTH = 100
WIDTH_OF_HELP = 80
"""Columns for which click writes on every terminal that has as many."""

INTRODUCTION = """\
# Command line

<!-- Written by docs/generate.py from the commands' own help. Change those, and run it again. -->

Every command answers `--help`. With `--json` there is one JSON document on stdout, and everything else goes to stderr.

| exit status | |
| --- | --- |
| 0 | done |
| 1 | failed or ineffective |
| 2 | usage or config |
| 3 | blocked or waiting |
| 4 | the service cannot be reached |"""


def page() -> str:
    """The page."""
    top = _context(WIDTH)
    parts = [INTRODUCTION]
    for section, names in SECTIONS.items():
        parts.append(f"## {section}")
        for name in names:
            command = cli.get_command(top, name)
            assert command is not None
            for path, text in _helps(command, top, name):
                parts += [f"### `{path}`", f"```text\n{text}\n```"]
    return blocks(*parts)


def main_help() -> str:
    """What `upkeeper --help` prints."""
    context = _context(WIDTH_OF_HELP - 2)
    return f"{cli.get_help(context)}\n"


def _context(width: int) -> click.Context:
    return cli.make_context("upkeeper", ["status"], resilient_parsing=True, terminal_width=width)


def _helps(command: click.Command, parent: click.Context, name: str) -> Iterator[tuple[str, str]]:
    """A command and those below it, each with its help."""
    context = click.Context(command, info_name=name, parent=parent, max_content_width=WIDTH, terminal_width=WIDTH)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            below = command.get_command(context, inner)
            assert below is not None
            yield from _helps(below, context, inner)
