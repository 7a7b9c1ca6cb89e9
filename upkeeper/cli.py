"""The ``upkeeper`` command: its group, which imports a command's module only when that command runs.

So ``upkeeper --help`` and the shell's completion answer before a client library would have been imported.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from remediator.model.errors import EXIT_INTERRUPTED, ClientError
from upkeeper.table import SECTIONS


class UpkeeperGroup(click.Group):
    """The commands by section. Its errors are one line, ``error: ...``, with a hint where help can be had."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for commands in SECTIONS.values():
            if cmd_name in commands:
                module, attribute = commands[cmd_name].where.split(":")
                command = getattr(importlib.import_module(f"upkeeper.commands.{module}"), attribute)
                assert isinstance(command, click.Command)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise click.NoSuchCommand(args[0], possibilities=self.list_commands(ctx), ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, entry.help) for name, entry in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Commands from the table, so that none is imported; options as ever."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=entry.help)
            for commands in SECTIONS.values()
            for name, entry in commands.items()
            if name.startswith(incomplete)
        ]

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *rest: Any, **extra: Any
    ) -> NoReturn:
        """Runs the command and exits with its status, having reported its error in one line."""
        extra["standalone_mode"] = False
        try:
            status = super().main(args, prog_name or "upkeeper", *rest, **extra)
        except click.Abort:
            click.echo("interrupted", err=True)
            sys.exit(EXIT_INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _report(_in_words(error), error.ctx if isinstance(error, click.UsageError) else None)
            sys.exit(error.exit_code)
        except ClientError as error:
            _report(str(error), None)
            sys.exit(error.exit_code)
        sys.exit(status if isinstance(status, int) else 0)


def _in_words(error: click.ClickException) -> str:
    message = error.format_message()
    if isinstance(error, click.MissingParameter):
        return " ".join(message.split())  # click puts what may be chosen on lines of their own, behind tabs
    return message.replace("is not a valid integer range", "is not a whole number")


def _report(message: str, ctx: click.Context | None) -> None:
    """An error on stderr. Names in it may come from anywhere, so each line is escaped."""
    from exporter.base.visible import visible

    first, *rest = [visible(line) for line in message.splitlines()] or ["failed"]
    click.echo(f"error: {first}", err=True)
    for line in rest:
        click.echo(f"  {line}", err=True)
    if ctx is not None:
        click.echo(f"see: {ctx.command_path} --help", err=True)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from exporter import __version__  # reads the installed package's metadata, which takes its time

        click.echo(f"upkeeper {__version__}")
        ctx.exit()


@click.group("upkeeper", cls=UpkeeperGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def cli() -> None:
    """Upkeeper looks after a self-hosted stack: it measures, alerts, remedies, and checks that it helped.

    \b
    Start everything:     upkeeper up
    Then, elsewhere:      upkeeper drill      (does every step of the loop work?)
                          upkeeper status     (how does it look now?)

    Exit status: 0 done, 1 failed or ineffective, 2 usage or config, 3 blocked or waiting, 4 service cannot be reached.
    """
