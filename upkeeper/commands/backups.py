"""``sets`` and ``verify``: the sets of backups, and what they are worth."""

from typing import Any

import click

from upkeeper.commands.complete import complete_backup, complete_verifiable
from upkeeper.commands.options import CLIENT, Session, operation, shared


@click.command()
@click.argument("backup", required=False, shell_complete=complete_backup)
@shared(*CLIENT)
@operation
async def sets(session: Session, backup: str | None) -> None:
    """List the sets of backups, with their age, size and proofs.

    Of BACKUP, or of all series that are in directories, newest first. A proof is what was shown of a set: `checksums`,
    its files are those that were written; `readable`, everything in it was read to its end; `restored`, `drilled`.

    \b
    Examples:
      upkeeper sets
      upkeeper sets pa --json
    """
    from upkeeper.screens import sets as view

    async with session.client(reads=True) as client:
        view.show_sets(session.screen, await client.sets(backup=backup))


@click.command()
@click.argument("backup", required=False, shell_complete=complete_verifiable)
@click.option("--latest", is_flag=True, help="The newest complete set, as without an option.")
@click.option("--all", "every", is_flag=True, help="Every complete set.")
@click.option("--set", "name", metavar="SET", help="The set of this name.")
@click.option(
    "--level",
    type=click.Choice(["checksums", "readable", "restored", "spot"]),
    default="readable",
    show_default=True,
    help="How deep; those before it are shown too, but by spot: a sample of files against their source.",
)
@shared(*CLIENT)
@operation
async def verify(session: Session, backup: str | None, latest: bool, every: bool, name: str | None, level: str) -> int:
    """Verify sets of a backup, and note what that has shown.

    BACKUP may be left out where only one can be verified. It is a run of the task backup-verification, with its guards
    and its record. The exit status is 1 where a set is damaged.

    \b
    Examples:
      upkeeper verify pa
      upkeeper verify pa --all --level checksums
      upkeeper verify pa --level restored
      upkeeper verify pa --level spot
      upkeeper verify pa --set backup-2026-11-24T020000Z
    """
    from remediator.tasks.backup_verification.facts import BACKUP_VERIFICATION
    from upkeeper.commands.runs import run_and_follow

    if latest + every + (name is not None) > 1:
        raise click.UsageError("--latest, --all and --set each say which sets; give one of them")
    params: dict[str, Any] = {"level": level}
    if every:
        params["all"] = True
    if name is not None:
        params["set"] = name
    return await run_and_follow(session, BACKUP_VERIFICATION.name, backup, params)
