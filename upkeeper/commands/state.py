"""``state``: the state directory as one file, and what is in it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from upkeeper.commands.options import Session, operation, shared

if TYPE_CHECKING:
    from remediator.control.moving import To
    from remediator.control.place import Place
    from remediator.statedir import StateDir

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, resolve_path=True))


def _place(session: Session, directory: "StateDir") -> "Place":
    """Where the record is. Raises ClientError."""
    import os

    from exporter.configfile.find import find_config
    from exporter.configfile.problem import ConfigError
    from remediator.control.place import Place
    from remediator.model.errors import EXIT_USAGE, ClientError

    try:
        return Place.find(find_config(session.config, os.environ), directory)
    except ConfigError as error:
        raise ClientError(str(error), EXIT_USAGE) from error


@click.group()
def state() -> None:
    """Back up and restore the state directory.

    The state is the record with its audit, the tokens and what is held back. Its backup is one file, which only its
    owner can read: it holds the tokens.

    \b
    Examples:
      upkeeper state backup /backup/upkeeper.tar.gz
      upkeeper state info /backup/upkeeper.tar.gz
      upkeeper state restore /backup/upkeeper.tar.gz
      upkeeper state migrate --to postgres
      upkeeper state roles web-1 web-2 --apply
    """


@state.command()
@file_argument
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@shared("config", "state_dir", "json", "verbose")
@operation
async def backup(session: Session, file: Path, force: bool) -> None:
    """Write a backup of the state to a file.

    The remediator may run: its database is read as it is at one moment, and it goes on working. The file appears whole
    or not at all. Its manifest holds the head of the audit. Of a record on PostgreSQL it holds this machine's rows, in
    a database of SQLite: see `state restore`.

    \b
    Example:
      upkeeper state backup /backup/upkeeper-$(date +%F).tar.gz
    """
    import asyncio
    import time

    from sqlalchemy.exc import SQLAlchemyError

    from remediator.backup import state as backups
    from remediator.model.errors import EXIT_FAILED, ClientError
    from upkeeper.screens import state as view

    directory, now = session.state(), time.time()
    place = _place(session, directory)
    try:
        if isinstance(place.database, str):
            made = await backups.back_up_shared(directory, place.database, place.host, file, now, replace=force)
        else:
            made = await asyncio.to_thread(backups.back_up, directory, file, now, replace=force)
    except OSError as error:
        raise ClientError(f"cannot write {file}: {error.strerror or error}", EXIT_FAILED) from error
    except SQLAlchemyError as error:
        raise ClientError(f"cannot read the record: {error}", EXIT_FAILED) from error
    view.show_manifest(session.screen, made, f"backed up to {file}")


@state.command()
@file_argument
@click.option("--even-broken", is_flag=True, help="Restore it although its audit is broken.")
@shared("config", "state_dir", "json", "verbose")
@operation
async def restore(session: Session, file: Path, even_broken: bool) -> None:
    """Put a backup in place of the state.

    Refuses while a remediator works on the state directory. The backup is checked first: its files, its version, its
    audit. What is there is moved into a directory beside it. Runs that were under way or waited when the backup was
    made are closed as cancelled, alerts are decided about again when Alertmanager repeats them, and due times until
    now are not made up: nothing that has run since runs again. The audit says what was restored. Refuses where the
    config names a database on PostgreSQL, and says how a backup comes into one.

    \b
    Example:
      upkeeper state restore /backup/upkeeper.tar.gz
    """
    from remediator.backup import state as backups
    from remediator.control.opening import locked, operator
    from remediator.model.caller import Caller
    from remediator.model.errors import EXIT_FAILED, EXIT_USAGE, ClientError
    from upkeeper.screens import state as view

    directory = session.state()
    caller = Caller("cli", operator())
    if isinstance(_place(session, directory).database, str):
        raise ClientError(
            "the record is on PostgreSQL, as the config says (`state: {database_url_file: ...}`); a backup goes into"
            " the state directory. Take that line out of the config, restore, put it back with an empty database, and"
            " run `upkeeper state migrate --to postgres`",
            EXIT_USAGE,
        )
    try:
        directory.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(directory):
            done = await backups.restore(directory, file, caller, even_broken=even_broken)
    except OSError as error:
        raise ClientError(f"cannot restore {file}: {error.strerror or error}", EXIT_FAILED) from error
    view.show_restored(session.screen, done, directory.root)


@state.command()
@click.option("--to", type=click.Choice(["postgres", "sqlite"]), required=True, help="Where the record is to be.")
@shared("config", "state_dir", "json", "verbose")
@operation
async def migrate(session: Session, to: "To") -> None:
    """Move the record between the state directory and PostgreSQL.

    The database is the one that the config names (`state: {database_url_file: ...}`). Stop the remediator first. All
    rows keep their numbers, and so go into a database that has no record yet; the audit is verified there before
    anything counts as moved. The SQLite file stays, under another name; rows in PostgreSQL stay too.

    \b
    Examples:
      upkeeper state migrate --to postgres
      upkeeper state migrate --to sqlite
    """
    from sqlalchemy.exc import SQLAlchemyError

    from remediator.control import moving
    from remediator.control.opening import locked, operator
    from remediator.model.caller import Caller
    from remediator.model.errors import EXIT_FAILED, ClientError
    from upkeeper.screens import state as view

    directory = session.state()
    try:
        directory.ensure()
        place = _place(session, directory)
        with locked(directory):
            done = await moving.migrate(directory, place, to, Caller("cli", operator()))
    except (OSError, SQLAlchemyError) as error:
        raise ClientError(f"the state cannot be moved: {error}", EXIT_FAILED) from error
    view.show_moved(session.screen, done)


@state.command()
@click.argument("hosts", nargs=-1)
@click.option("--apply", "apply_it", is_flag=True, help="Do it in the database, and print the URLs of new roles.")
@click.option("--drop", is_flag=True, help="Do it in the database: take the roles of these hosts away.")
@click.option(
    "--owner-url-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="By which the owner of the tables connects. Default: the config's.",
)
@shared("config", "state_dir", "json", "verbose")
@operation
async def roles(
    session: Session, hosts: tuple[str, ...], apply_it: bool, drop: bool, owner_url_file: Path | None
) -> None:
    """Give each host a role of its own in the database that hosts share.

    Without --apply the SQL is printed, for whoever looks after the database. With it the tables are brought up to date
    and each host gets a login role that can change what is its own and nothing else; of a role that is new its URL is
    printed this once, for the file that the host's `state: {database_url_file: ...}` names. It has to be done by the
    owner of the tables, who may make roles, and again after an upgrade: then without naming hosts, for all that have a
    role.

    \b
    Examples:
      upkeeper state roles web-1 web-2
      upkeeper state roles web-1 web-2 --apply --owner-url-file /root/upkeeper-owner-url
      upkeeper state roles --apply --owner-url-file /root/upkeeper-owner-url
      upkeeper state roles web-2 --drop --owner-url-file /root/upkeeper-owner-url
    """
    from sqlalchemy.exc import SQLAlchemyError

    from remediator.control import rights
    from remediator.control.place import url_in
    from remediator.model.errors import EXIT_FAILED, ClientError
    from upkeeper.screens import state as view

    if apply_it and drop:
        raise click.UsageError("--apply and --drop exclude each other")
    if not hosts and not apply_it:
        raise click.UsageError("name hosts; without any --apply renews those that have a role")
    if not (apply_it or drop):
        view.show_script(session.screen, rights.script(hosts))
        return
    url = url_in(owner_url_file) if owner_url_file else _place(session, session.state()).database
    if not isinstance(url, str):
        raise click.UsageError("the config names no database on PostgreSQL: say --owner-url-file")
    try:
        done = await (rights.drop if drop else rights.apply)(url, hosts)
    except (OSError, SQLAlchemyError, ValueError) as error:
        raise ClientError(f"the roles cannot be given: {_first_line(error)}", EXIT_FAILED) from error
    view.show_roles(session.screen, done, dropped=drop)


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


@state.command()
@file_argument
@shared("json", "verbose")
@operation
async def info(session: Session, file: Path) -> None:
    """Show what a backup holds.

    Reads its manifest alone: when it was made, by which version, on which host, and the head of the audit, with which
    `upkeeper audit verify --head` compares a chain.

    \b
    Example:
      upkeeper state info /backup/upkeeper.tar.gz
    """
    from remediator.backup.archive import BadArchive, look
    from remediator.model.errors import EXIT_FAILED, ClientError
    from upkeeper.screens import state as view

    try:
        view.show_manifest(session.screen, look(file), str(file))
    except (BadArchive, OSError) as error:
        raise ClientError(str(error), EXIT_FAILED) from error
