"""Backs a state directory up while it is used, and puts a backup in place of one that is not."""

import asyncio
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

import sqlalchemy as sa

from exporter import __version__
from exporter.base.text import format_time
from remediator.audit.record import Entry
from remediator.audit.verify import Chain, Head
from remediator.backup.archive import DATABASE, FORMAT, TOKENS, BadArchive, Manifest, described, look, pack, unpack
from remediator.model.caller import Caller
from remediator.model.errors import EXIT_FAILED, EXIT_USAGE, ClientError
from remediator.statedir import StateDir
from remediator.store import audit, hosts, moving, runs
from remediator.store.database import Database, newest_version
from remediator.store.sqlitefile import ways
from remediator.store.tables import alerts, approvals, due_times, jobs, metadata
from remediator.store.tables import runs as runs_table

WAIT = 30.0
"""Seconds to wait for a lock of the database."""


def back_up(state: StateDir, target: Path, now: float, *, replace: bool = False) -> Manifest:
    """Writes the backup to the target. The database may be in use: it is read as it is at one moment, and writers go
    on meanwhile. Blocks. Raises ClientError and OSError.
    """
    _may_be_written(target, replace=replace)
    if not state.database.exists():
        raise ClientError(f"there is no state in {state.root}: nothing to back up", EXIT_USAGE)
    # Beside the target: there must be room for it there in any case.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
        folder = Path(name)
        # As the remediator does: where a map of the index could kill the process, none is made.
        alone = {} if "shared" in ways(state.database) else {"vfs": "unix-excl"}
        path = f"file:{quote(str(state.database))}?{urlencode(alone)}"
        try:
            with closing(
                sqlite3.connect(path, uri=True, timeout=1.0 if alone else WAIT, isolation_level=None)
            ) as source:
                source.execute("VACUUM INTO ?", (str(folder / DATABASE),))
        except sqlite3.Error as error:
            hint = "; on this file system only one process can use the database: stop the remediator first"
            locked = hint if "locked" in str(error) else ""
            raise ClientError(f"cannot read {state.database}: {error}{locked}", EXIT_FAILED) from error
        return _packed(state, folder, target, now)


async def back_up_shared(
    state: StateDir, url: str, host: str | None, target: Path, now: float, *, replace: bool = False
) -> Manifest:
    """The same of a record on PostgreSQL: the rows of this host, as they are at one moment, in a database of SQLite.

    url: of the database. host: the name of this machine; None: its hostname. Raises ClientError, OSError and
    SQLAlchemyError.
    """
    _may_be_written(target, replace=replace)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
        folder = Path(name)
        source = Database(url, host=host)
        copy = Database(folder / DATABASE, host=source.host)
        try:
            source.open_only()
            if not await source.read(_has_record):
                raise ClientError("the database that the config names has no record of this machine yet", EXIT_USAGE)
            await copy.make_tables()
            await source.into(copy, partial(moving.move, host=source.host, shared=False))
        except ValueError as error:
            raise ClientError(f"nothing was backed up: {error}", EXIT_FAILED) from error
        finally:
            await source.close()
            await copy.close()
        return await asyncio.to_thread(_packed, state, folder, target, now)


def _has_record(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table(metadata.tables["audit_heads"].name)


def _may_be_written(target: Path, *, replace: bool) -> None:
    if target.exists() and not replace:
        raise ClientError(f"{target} exists already; choose another name, or replace it with --force", EXIT_USAGE)


def _packed(state: StateDir, folder: Path, target: Path, now: float) -> Manifest:
    """Puts the copied database in the folder, and the tokens, into the target."""
    version, (host, head) = _looked_into(folder / DATABASE)
    for name in TOKENS:
        if (state.root / name).exists():
            (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copyfile(state.root / name, folder / name)
    files = {name: described(folder / name) for name in (DATABASE, *TOKENS) if (folder / name).exists()}
    manifest = Manifest(
        format=FORMAT,
        upkeeper=__version__,
        version=version,
        host=host,
        made_at=format_time(now),
        head_number=head.number or 0,
        head_hash=head.hash,
        files=files,
    )
    pack(folder, manifest, target)
    return manifest


def _looked_into(database: Path) -> tuple[str, tuple[str, Head]]:
    """The migration of a copied database, and the host and end of the audit that was written last."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (found,) = connection.execute("PRAGMA integrity_check").fetchone()
        if found != "ok":
            raise ClientError(f"the database is damaged: {found}", EXIT_FAILED)
        ((version,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        here = hosts.this_host()
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_heads'").fetchone():
            return str(version), (here, Head(0, ""))
        order = "SELECT host, number, hash FROM audit_heads ORDER BY host = ? DESC, number DESC LIMIT 1"
        row = connection.execute(order, (here,)).fetchone()
        return str(version), (here, Head(0, "")) if row is None else (row[0], Head(row[1], row[2]))


@dataclass(frozen=True)
class Restored:
    """aside: where the former state has gone; None where none was. cancelled: runs that are not gone on with."""

    manifest: Manifest
    aside: Path | None
    cancelled: int


async def restore(state: StateDir, source: Path, caller: Caller, *, even_broken: bool = False) -> Restored:
    """Puts a backup in place of the state, whose lock the caller holds. What was there is kept aside.

    Raises ClientError and OSError; the state is then what it was.
    """
    manifest = _looked_at(source)
    with tempfile.TemporaryDirectory(prefix=".restore.", dir=state.root) as name:
        folder = Path(name)
        try:
            unpack(source, folder)
        except BadArchive as error:
            raise ClientError(str(error), EXIT_FAILED) from error
        now = time.time()
        aside = state.root / f"aside-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}"
        former = _looked_into(state.database)[1][1] if _readable(state.database) else None
        cancelled = await _prepared(folder / DATABASE, manifest, former, aside, caller, now, even_broken=even_broken)
        moved = _put_in_place(state, folder, aside)
    return Restored(manifest, aside if moved else None, cancelled)


def _looked_at(source: Path) -> Manifest:
    try:
        manifest = look(source)
    except BadArchive as error:
        raise ClientError(str(error), EXIT_FAILED) from error
    if manifest.version > newest_version():
        message = (
            f"{source} is of Upkeeper {manifest.upkeeper}, whose database is newer (version {manifest.version}) than"
            f" this one knows ({newest_version()}); install Upkeeper {manifest.upkeeper} or newer, then restore it"
        )
        raise ClientError(message, EXIT_USAGE)
    return manifest


def _readable(database: Path) -> bool:
    """Whether there is a database whose end of the audit can be told."""
    with suppress(ClientError, sqlite3.Error, ValueError):
        return database.exists() and bool(_looked_into(database))
    return False


async def _prepared(
    path: Path, manifest: Manifest, former: Head | None, aside: Path, caller: Caller, now: float, *, even_broken: bool
) -> int:
    """Brings the database up to date, and leaves nothing in it that would be done a second time."""
    database = Database(path)
    try:
        faults = [] if _without_audit(path) else await database_faults(database)
        if faults and not even_broken:
            message = f"the audit in the backup is broken: {faults[0]}; --even-broken restores it all the same"
            raise ClientError(message, EXIT_FAILED)
        await database.migrate()
        body = {
            "made_at": manifest.made_at,
            "head": f"{manifest.head_number}:{manifest.head_hash}",
            "replaced": None if former is None else f"{former.number}:{former.hash}",
            "aside": aside.name,
        }
        entry = Entry("state.restored", now, caller, body)
        why = f"the state was restored from a backup of {manifest.made_at}: what was under way then is not gone on with"
        return await database.write(partial(_settle, host=database.host, entry=entry, why=why, now=now))
    finally:
        await database.close()


def _without_audit(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_heads'").fetchone()


async def database_faults(database: Database) -> list[str]:
    """What is wrong with any chain in a database."""

    def read(connection: sa.Connection) -> list[str]:
        found: list[str] = []
        for host in audit.hosts(connection):
            chain = Chain(host)
            chain.take(audit.chain(connection, host))
            found += chain.end(audit.head(connection, host))
        return found

    database.open_only()
    return await database.read(read)


def _settle(connection: sa.Connection, host: str, entry: Entry, why: str, now: float) -> int:
    """Closes what was under way, waits or would be made up, and forgets what the engine remembers."""
    audit.append(connection, host, entry)
    open_runs = list(connection.scalars(sa.select(runs_table.c.id).where(runs_table.c.state != "finished")))
    for run_id in open_runs:
        runs.finish(connection, run_id, "cancelled", why, now)
    connection.execute(
        approvals.update().where(approvals.c.state == "asked").values(state="cancelled", decided_at=now, reason=why)
    )
    # An alert that still fires is repeated, and decided about then; the others may have ended long ago.
    connection.execute(alerts.update().values(decided_receptions=alerts.c.receptions, due_at=None))
    over = due_times.c.state.in_(("waiting", "running"))
    connection.execute(due_times.update().where(over).values(state="blocked", reason=why, retry_at=None))
    connection.execute(jobs.update().where(jobs.c.handled_until < now).values(handled_until=now))
    ours = {*metadata.tables, "alembic_version"}
    names = connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
    for name in names:
        if name not in ours and not name.startswith("sqlite_"):
            connection.execute(sa.text(f'DROP TABLE IF EXISTS "{name}"'))  # the engine makes its tables at its start
    return len(open_runs)


def _put_in_place(state: StateDir, folder: Path, aside: Path) -> bool:
    """Moves what is there aside, and the restored files to its place. Whether anything was there."""
    there = [state.database, *state.root.glob(f"{DATABASE}-*"), *(state.root / name for name in TOKENS)]
    there = [path for path in there if path.exists()]
    if there:
        aside.mkdir(mode=0o700)
    for path in there:
        place = aside / path.relative_to(state.root)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        path.rename(place)
    for name in (*TOKENS, DATABASE):
        if (folder / name).exists():
            (state.root / name).parent.mkdir(mode=0o700, exist_ok=True)
            (folder / name).rename(state.root / name)
        elif name in TOKENS and (aside / name).exists():
            shutil.copy2(aside / name, state.root / name)
    descriptor = os.open(state.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return bool(there)
