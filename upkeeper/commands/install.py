"""``install`` and ``uninstall``: what the system's own manager needs to start the services."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from upkeeper.commands.options import Decorator, Session, operation, shared

_ADVICE = "Changes belong into `systemctl edit`: they outlive the next version."


def _options(verb: str) -> Decorator:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option("--dry-run", is_flag=True, help="Only say what would be done."),
            click.option(
                "--root",
                type=click.Path(path_type=Path, file_okay=False),
                default=Path("/"),
                metavar="DIR",
                help=f"Below which directory it is {verb}. Default: the system's own files.",
            ),
            click.option("--systemd", is_flag=True, required=True, help="For systemd, which is all there is so far."),
        ):
            command = option(command)
        return command

    return decorate


def _program(ctx: click.Context, param: click.Parameter, given: str | None) -> str:
    program = given or str(Path(sys.argv[0]).absolute())
    if not given and not os.access(program, os.X_OK):
        program = f"{sys.executable} -m upkeeper.main"
    if not program.startswith("/") or any(character in program for character in "\"'\\%$;\n\t"):
        raise click.BadParameter(f"{program!r} must be an absolute path without quotes, % and $", ctx, param)
    return program


@click.command()
@click.option(
    "--program",
    metavar="PATH",
    callback=_program,
    help="Where `upkeeper` is when the services start. Default: this one.",
)
@click.option("--packages", is_flag=True, help="Let the remediator change packages of the host, with all rights.")
@click.option("--vendor", is_flag=True, help="Write below /usr/lib, as packages of a distribution do.")
@click.option("--force", is_flag=True, help="Replace also what a person has changed; what was there stays beside it.")
@_options("written")
@shared("json", "verbose")
@operation
async def install(
    session: Session,
    systemd: bool,
    root: Path,
    dry_run: bool,
    program: str,
    packages: bool,
    vendor: bool,
    force: bool,
) -> None:
    """Write the units that start the services.

    Two units, the exporter's user and the directories of both. A file that somebody has changed is left as it is, and
    said; what you add with `systemctl edit` is never touched. Nothing is started: the commands for that are said.

    \b
    Examples:
      upkeeper install --systemd --dry-run
      sudo upkeeper install --systemd
    """
    from exporter import __version__
    from remediator.model.errors import EXIT_FAILED, EXIT_USAGE, ClientError
    from upkeeper.install import files, units
    from upkeeper.screens import install as view

    wanted = units.Wanted(program, __version__, packages)
    own, other = (units.files(wanted, vendor=each) for each in (vendor, not vendor))
    hidden = [path for path in other if path.endswith(".service") and (root / path.lstrip("/")).exists()]
    if hidden and not force:
        raise ClientError(f"{hidden[0]} is there already, from {'`install`' if vendor else 'a package'}", EXIT_USAGE)
    texts = {path: files.marked(text, __version__, _ADVICE) for path, text in own.items()}
    try:
        done = files.write(root, texts, dry_run=dry_run, force=force)
    except OSError as error:
        raise ClientError(f"cannot write {error.filename}: {error.strerror}", EXIT_FAILED) from error
    view.show_installed(session.screen, done, dry_run=dry_run, here=root == Path("/"), packages=packages)


@click.command()
@_options("removed")
@shared("json", "verbose")
@operation
async def uninstall(session: Session, systemd: bool, root: Path, dry_run: bool) -> None:
    """Remove the units that start the services.

    Those files that `upkeeper install` wrote and nobody has changed. Config, state, the exporter's user and what
    `systemctl edit` made stay. Stop the services before.

    \b
    Example:
      sudo systemctl disable --now upkeeper-exporter upkeeper-remediator
      sudo upkeeper uninstall --systemd
    """
    from remediator.model.errors import EXIT_FAILED, ClientError
    from upkeeper.install import files, units
    from upkeeper.screens import install as view

    paths = list(units.files(units.Wanted("/", "")))
    try:
        done = files.remove(root, paths, dry_run=dry_run)
    except OSError as error:
        raise ClientError(f"cannot remove {error.filename}: {error.strerror}", EXIT_FAILED) from error
    view.show_removed(session.screen, done, dry_run=dry_run, here=root == Path("/"))
