"""What the record holds: runs with their evidence, alerts, decisions, what waits, what is due, the audit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from remediator.diagnosis.part import Part
from remediator.store import audit, pages
from remediator.store.database import Database, newest_version
from remediator.store.tables import breaker_resets, jobs, levels, metadata, pauses, runs, senders

LAST_RUNS, WITH_EVIDENCE, LAST = 100, 20, 100
MOST_ROWS = 100
"""Of the table that a run left."""


Read = Callable[[Callable[[sa.Connection], Any]], Awaitable[Any]]
"""Asks the record; raises what a database does."""


@asynccontextmanager
async def opened(place: Path) -> AsyncIterator[Read]:
    """The record in a file, opened only to read when it is first asked; where there is none, none is made."""
    database: Database | None = None
    turn = asyncio.Lock()

    async def read(work: Callable[[sa.Connection], Any]) -> Any:
        nonlocal database
        async with turn:
            if database is None:
                await asyncio.to_thread(place.stat)
                fresh = Database(place)
                await asyncio.to_thread(fresh.open_only)
                database = fresh
        return await database.read(work)

    try:
        yield read
    finally:
        if database is not None:
            await database.close()


def record_parts(read: Read, run: int | None, now: float) -> Sequence[Part]:
    """run: the one that the archive is about. now: Unix seconds."""

    def part(name: str, look: Callable[[sa.Connection], Any]) -> Part:
        return Part(f"record/{name}.json", partial(read, look))

    parts = [
        part("summary", _summary),
        part("runs", partial(pages.list_runs, limit=LAST_RUNS)),
        part("last-runs-whole", _last_runs),
        part("alerts", partial(pages.list_alerts, limit=LAST)),
        part("decisions", partial(pages.list_decisions, limit=LAST)),
        part("approvals", partial(pages.list_approvals, now=now, limit=LAST)),
        part("standing", _standing),
        part("audit", _audit),
    ]
    return parts if run is None else [part(f"run-{run}", partial(_one_run, run=run)), *parts]


def _summary(connection: sa.Connection) -> dict[str, Any]:
    known = set(sa.inspect(connection).get_table_names())
    version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    counts = {
        table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) if table.name in known else None
        for table in metadata.sorted_tables
    }
    return {"version": version, "newest_version": newest_version(), "rows": counts}


def _last_runs(connection: sa.Connection) -> Sequence[Any]:
    ids = connection.scalars(sa.select(runs.c.id).order_by(runs.c.id.desc()).limit(WITH_EVIDENCE))
    return [_whole(connection, id) for id in list(ids)]


def _whole(connection: sa.Connection, run: int) -> dict[str, Any]:
    view: dict[str, Any] = dict(pages.one_run(connection, run))
    for name in ("rows", "actions"):
        if len(view.get(name) or ()) > MOST_ROWS:
            view[f"{name}_left_out"] = len(view[name]) - MOST_ROWS
            view[name] = view[name][:MOST_ROWS]
    return view


def _one_run(connection: sa.Connection, run: int) -> dict[str, Any]:
    """A run with all that belongs to it. Raises LookupError if none has that id."""
    whole = _whole(connection, run)
    alert = whole["alert_id"]
    children = [_whole(connection, child["id"]) for child in whole.get("children", ())[:WITH_EVIDENCE]]
    found: dict[str, Any] = {"run": whole, "children": children}
    found["audit"] = [record.document() for _, record in audit.newest(connection, limit=LAST, before=None, run_id=run)]
    if alert is not None:
        found["alert"] = pages.list_alerts(connection, limit=1, before=alert + 1)["items"]
    return found


def _standing(connection: sa.Connection) -> dict[str, Any]:
    """What is held back, what was changed by hand, and how far the schedule has come."""
    found: dict[str, Any] = {}
    for table in (pauses, breaker_resets, levels, senders, jobs):
        with suppress(sa.exc.DBAPIError):  # a table that an older record does not have
            found[table.name] = [dict(row) for row in connection.execute(sa.select(table).limit(LAST)).mappings()]
    return found


def _audit(connection: sa.Connection) -> dict[str, Any]:
    chains = [{"host": row.host, "records": row.number, "head": row.hash} for row in audit.chains(connection)]
    newest = audit.newest(connection, limit=LAST, before=None, run_id=None)
    return {"chains": chains, "newest": [record.document() for _, record in newest]}
