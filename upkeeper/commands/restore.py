"""``restore``: a set, or a part of one, comes back."""

import os
from typing import Any

import click

from upkeeper.commands.complete import complete_backup, complete_set
from upkeeper.commands.options import CLIENT, Session, operation, shared


def _absolute(ctx: click.Context, param: click.Parameter, given: str) -> str:
    """A directory from here on, with links as they are written: whoever does the work has another working directory."""
    return os.path.abspath(given) if "/" in given or given in (".", "..") else given  # noqa: PTH100


@click.command()
@click.argument("name", metavar="latest|SET", shell_complete=complete_set)
@click.option(
    "--name", "backup", metavar="SERIES", shell_complete=complete_backup, help="The series, where several are."
)
@click.option(
    "--only",
    multiple=True,
    metavar="PART",
    help="file:PATH, volume:NAME, sqlite:NAME, postgres:SERVER or postgres:SERVER/DATABASE. May be repeated.",
)
@click.option(
    "--to",
    metavar="DIR|DATABASE",
    required=True,
    callback=_absolute,
    help="A directory, with a slash; or a new database.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Show every step, and change nothing.")
@shared(*CLIENT)
@operation
async def restore(
    session: Session, name: str, backup: str | None, only: tuple[str, ...], to: str, dry_run: bool
) -> int:
    """Restore a set, or a part of one, into a directory or a new database.

    All that is asked for is compared with its manifest first: of a set that is damaged, not complete or of another
    series nothing is restored. Files and volumes come back with owners (as root), modes, times, links, extended
    attributes and ACLs; SQLite databases and dumps of PostgreSQL as the files that they are. One database of a
    PostgreSQL server can also be made anew under another name on its server. An interrupted restore goes on when the
    same is asked for again. It is a run of the task restore, with its record.

    \b
    Examples:
      upkeeper restore latest --to /srv/scratch
      upkeeper restore latest --name pa --only volume:n8n_data --to /srv/scratch
      upkeeper restore backup-2026-11-24T020000Z --only file:/srv/pa/.env --to ./env --dry-run
      upkeeper restore latest --only postgres:main/app --to app_before
    """
    from remediator.tasks.restore.facts import RESTORE
    from upkeeper.commands.runs import run_and_follow

    params: dict[str, Any] = {"set": name, "to": to}
    if only:
        params["only"] = list(only)
    return await run_and_follow(session, RESTORE.name, backup, params, dry_run=dry_run)
