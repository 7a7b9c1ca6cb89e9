"""Backups of the state directory on the screen."""

from collections.abc import Sequence
from pathlib import Path

from exporter.base.text import counted
from exporter.base.units import format_bytes
from remediator.backup.archive import Manifest
from remediator.backup.state import Restored
from remediator.control.moving import Moved
from remediator.control.rights import HostRole
from upkeeper.screens.screen import Screen


def show_manifest(screen: Screen, manifest: Manifest, title: str) -> None:
    """What a backup holds."""
    screen.document(manifest.model_dump(mode="json"))
    screen.line(title)
    screen.line(f"made     {manifest.made_at} by Upkeeper {manifest.upkeeper}, database {manifest.version}")
    screen.line(f"host     {manifest.host}")
    screen.line(f"head     {manifest.head_number}:{manifest.head_hash}")
    for name, file in manifest.files.items():
        screen.line(f"holds    {name}, {format_bytes(file.size)}")


def show_restored(screen: Screen, done: Restored, root: Path) -> None:
    """What was restored, and where the former state is."""
    aside = None if done.aside is None else str(done.aside)
    screen.document({"restored": done.manifest.model_dump(mode="json"), "aside": aside, "cancelled": done.cancelled})
    screen.line(f"restored {root} from a backup of {done.manifest.made_at}")
    if done.cancelled:
        screen.line(f"closed   {counted(done.cancelled, 'run')} that had not ended when it was made")
    if aside is not None:
        screen.line(f"aside    {aside} holds what was there; delete it when you no longer need it")


def show_moved(screen: Screen, done: Moved) -> None:
    """What was moved where."""
    aside = None if done.aside is None else str(done.aside)
    screen.document({"host": done.host, "to": done.to, "rows": dict(done.rows), "aside": aside})
    where = "PostgreSQL" if done.to == "postgres" else "the state directory"
    screen.line(f"moved    the record of {done.host} to {where}: {counted(sum(done.rows.values()), 'row')}")
    if aside is not None:
        screen.line(f"aside    {aside} holds the same; delete it when you no longer need it")
    else:
        screen.line("next     take `database_url_file:` and `fleet:` out of the config; PostgreSQL keeps its rows")


def show_script(screen: Screen, statements: Sequence[str]) -> None:
    """Statements for psql."""
    screen.document({"statements": list(statements)})
    screen.line(
        "-- as the owner of the tables, after their migration; CREATE ROLE by whoever may make roles, once, and"
    )
    screen.line("-- then \\password for each of them")
    screen.line("BEGIN;")
    for one in statements:
        screen.line(f"{one};")
    screen.line("COMMIT;")


def show_roles(screen: Screen, done: Sequence[HostRole], *, dropped: bool) -> None:
    """What was done of which host; URLs of roles that are new."""
    items = [{"host": one.host, "role": one.role, "url": one.url} for one in done]
    screen.document({"items": items, "dropped": dropped})
    for one in done:
        word = "dropped" if dropped else "given  " if one.url is None else "made   "
        screen.line(f"{word} {one.role} of the host {one.host}")
        if one.url is not None:
            screen.line(one.url)
    if not done:
        screen.line("no host has a role yet")
