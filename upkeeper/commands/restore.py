"""``restore``: a set, or a part of one, comes back."""

import os
from typing import TYPE_CHECKING, Any

import click

from upkeeper.commands.complete import complete_backup, complete_set
from upkeeper.commands.options import CLIENT, Session, operation, shared

if TYPE_CHECKING:
    from collections.abc import Mapping


def _absolute(ctx: click.Context, param: click.Parameter, given: str | None) -> str | None:
    """A directory from here on, with links as they are written: whoever does the work has another working directory."""
    if given is None or ("/" not in given and given not in (".", "..")):
        return given
    return os.path.abspath(given)  # noqa: PTH100


def _from_here(ctx: click.Context, param: click.Parameter, given: str | None) -> str | None:
    """The whole path of a file or directory; what names a repository stays as it is."""
    return given if given is None or given.startswith("restic:") else os.path.abspath(given)  # noqa: PTH100


@click.command()
@click.argument("name", metavar="latest|SET", shell_complete=complete_set)
@click.option(
    "--name", "backup", metavar="SERIES", shell_complete=complete_backup, help="The series, where several are."
)
@click.option(
    "--only",
    multiple=True,
    metavar="PART",
    help="file:PATH, volume:NAME, sqlite:NAME, postgres:SERVER[/DATABASE] or neo4j:SERVER[/DATABASE]. May be repeated.",
)
@click.option(
    "--to",
    metavar="DIR|DATABASE",
    callback=_absolute,
    help="A directory, with a slash, a new database, or another Neo4j server. Without it what is there is replaced.",
)
@click.option(
    "--from",
    "source",
    metavar="DIR|restic:REPO",
    callback=_from_here,
    help="Sets that no config here knows: a directory, or a restic repository.",
)
@click.option("--password-file", metavar="FILE", callback=_from_here, help="Password of the restic repository.")
@click.option("--identity", metavar="FILE", callback=_from_here, help="Private key of age, of a set that is encrypted.")
@click.option("-n", "--dry-run", is_flag=True, help="Show every step, and change nothing.")
@click.option("--force", is_flag=True, help="Replace what is there without asking for an approval: this is yours.")
@click.option("--without-copy", is_flag=True, help="Do not copy what is there first, as where it is broken.")
@shared(*CLIENT)
@operation
async def restore(
    session: Session,
    name: str,
    backup: str | None,
    only: tuple[str, ...],
    to: str | None,
    source: str | None,
    password_file: str | None,
    identity: str | None,
    dry_run: bool,
    force: bool,
    without_copy: bool,
) -> int:
    """Restore a set, or a part of one, into a directory, a database or in place.

    All that is asked for is compared with its manifest first: of a set that is damaged, not complete or of another
    series nothing is restored. Files and volumes come back with owners (as root), modes, times, links, extended
    attributes and ACLs. An interrupted restore goes on when the same is asked for again.

    With --to nothing is replaced: a directory that is empty or not there yet is filled, with dumps of PostgreSQL as the
    files that they are; or one database is made anew under another name on its server.

    Without --to what is there is replaced. The plan waits for a person (upkeeper approve), or --force approves it. All
    is made ready beside what is there; then the containers that use it are stopped, what is there is copied to a set of
    its own, both are exchanged in one step, and the containers run again. That set is the way back.

    With --from the set is not one of a series of the config: neither a config nor a remediator is needed, and nothing
    is recorded. At the end it says where config and Compose file of the set are.

    \b
    Examples:
      upkeeper restore latest --to /srv/scratch
      upkeeper restore backup-2026-11-24T020000Z --only file:/srv/pa/.env --to ./env --dry-run
      upkeeper restore latest --only postgres:main/app --to app_before
      upkeeper restore latest --name pa --only volume:n8n_data --force
      upkeeper restore latest --from /mnt/usb/backups --to /srv/back
      upkeeper restore latest --from restic:sftp:backup@nas:/srv/restic --password-file pw --to /srv/back
    """
    params: dict[str, Any] = {"set": name}
    if only:
        params["only"] = list(only)
    if source is not None:
        from upkeeper.commands.restore_from import restore_from

        if to is None or force or without_copy:
            raise click.UsageError("--from needs --to DIR, and has neither --force nor --without-copy")
        given = {**params, "to": to}
        return await restore_from(session, source, name, backup, given, password_file, identity, dry_run=dry_run)
    if password_file is not None or identity is not None:
        raise click.UsageError("--password-file and --identity are for --from")
    if to is not None:
        from remediator.tasks.restore.facts import RESTORE
        from upkeeper.commands.runs import run_and_follow

        if force or without_copy:
            raise click.UsageError("--force and --without-copy are for what is restored in place, without --to")
        return await run_and_follow(session, RESTORE.name, backup, {**params, "to": to}, dry_run=dry_run)
    if without_copy:
        params["without_copy"] = True
    return await _in_place(session, backup, params, dry_run=dry_run, force=force)


async def _in_place(
    session: Session, backup: str | None, params: "Mapping[str, Any]", *, dry_run: bool, force: bool
) -> int:
    """Runs it until it waits for an approval, which ``force`` gives to the plan that was shown."""
    from remediator.tasks.restore_in_place.facts import RESTORE_IN_PLACE
    from upkeeper.commands.runs import run_and_follow

    return await run_and_follow(
        session, RESTORE_IN_PLACE.name, backup, params, dry_run=dry_run, consent="--force" if force else None
    )
