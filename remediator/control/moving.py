"""Moving a state from the state directory's SQLite file into PostgreSQL, and back."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from exporter.base.text import counted
from remediator.audit.record import Entry
from remediator.control.place import Place
from remediator.model.caller import Caller
from remediator.model.errors import EXIT_FAILED, EXIT_USAGE, ClientError
from remediator.statedir import StateDir
from remediator.store import audit, mirror, moving
from remediator.store.database import Database
from remediator.store.presence import Presence

To = Literal["postgres", "sqlite"]


@dataclass(frozen=True)
class Moved:
    """rows: of each table. aside: what the SQLite file is called now, which holds the same still."""

    host: str
    to: To
    rows: Mapping[str, int]
    aside: Path | None


async def migrate(state: StateDir, place: Place, to: To, caller: Caller) -> Moved:
    """Moves this host's record, with nothing of it lost. The caller holds the lock of the state directory.

    place: of the database that the config names. Raises ClientError, OSError and SQLAlchemyError; then the target is
    as it was.
    """
    if not isinstance(place.database, str):
        raise ClientError("the config names no database: `state: {database_url_file: ...}`", EXIT_USAGE)
    await _require_no_journal(state)
    host = Database(state.database, host=place.host).host
    presence = Presence(place.database, host, lambda: None)
    await presence.claim(within=0.0)
    try:
        if to == "postgres":
            return await _to_postgres(state, place.database, host, caller)
        return await _to_sqlite(state, place.database, host, caller)
    finally:
        await presence.close()


async def _to_postgres(state: StateDir, url: str, host: str, caller: Caller) -> Moved:
    if not state.database.exists():
        raise ClientError(f"there is no record in {state.root} to be moved", EXIT_USAGE)
    source, target = Database(state.database, host=host), Database(url, host=host)
    try:
        await source.migrate()  # it may be an earlier release's, and its machine may have had another name
        rows = await _moved(source, target, "postgres", caller)
    finally:
        await source.close()
        await target.close()
    aside = state.database.with_name(f"{state.database.name}.moved-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    state.database.rename(aside)
    for suffix in ("-wal", "-shm"):  # empty: the database was closed
        with suppress(FileNotFoundError):
            state.database.with_name(state.database.name + suffix).unlink()
    return Moved(host, "postgres", rows, aside)


async def _to_sqlite(state: StateDir, url: str, host: str, caller: Caller) -> Moved:
    if state.database.exists():
        raise ClientError(f"{state.database} exists already: move it away first, if nothing needs it", EXIT_USAGE)
    new = state.database.with_name(f"{state.database.name}.new")
    _remove(new)
    source, target = Database(url, host=host), Database(new, host=host)
    try:
        source.open_only()
        rows = await _moved(source, target, "sqlite", caller)
    except BaseException:
        await target.close()
        _remove(new)
        raise
    finally:
        await source.close()
    await target.close()
    new.rename(state.database)
    return Moved(host, "sqlite", rows, None)


async def _require_no_journal(state: StateDir) -> None:
    """Raises ClientError where this host has gone on with a journal that is not home yet."""
    if not state.journal.exists():
        return
    journal = Database(state.journal)
    try:
        journal.open_only()
        known = await journal.read(mirror.read_facts)
    finally:
        await journal.close()
    if known is not None and known.taken_at is not None:
        raise ClientError(
            f"{state.journal} holds what this host did while the database was away: start the remediator, which brings"
            " it home; then move the state",
            EXIT_FAILED,
        )


def _remove(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            database.with_name(database.name + suffix).unlink()


async def _moved(source: Database, target: Database, to: To, caller: Caller) -> Mapping[str, int]:
    begun = await source.read(partial(moving.under_way, host=source.host))
    if begun:
        raise ClientError(
            f"{counted(len(begun), 'run')} under way (run {begun[0]}): start the remediator and let it finish them, or"
            " cancel them; then move the state",
            EXIT_FAILED,
        )
    await target.make_tables()
    entry = Entry("state.migrated", time.time(), caller, {"to": to})

    def work(old: sa.Connection, new: sa.Connection) -> Mapping[str, int]:
        others = moving.holders(new)
        if others:
            raise ClientError(
                f"the database has a record already (of {', '.join(others)}): one that is moved keeps its numbers, and "
                "so needs an empty one",
                EXIT_USAGE,
            )
        rows = moving.move(old, new, source.host, shared=not target.one_machine)
        audit.append(new, source.host, entry)
        return rows

    try:
        return await source.into(target, work)
    except ValueError as error:
        raise ClientError(f"nothing was moved: {error}", EXIT_FAILED) from error
