"""Reads what is still known of the past beside alerts: from the record, which may be in use, and from Alertmanager."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from exporter.base.errors import UpkeeperError
from remediator.backtest.known import KINDS, SILENCES_KEPT, Known, Planned, closed_of, levels_of, muted_by, pauses_of
from remediator.decide.remedies import Remedies
from remediator.peers.alertmanager import Alertmanager
from remediator.store import audit, levels, spending
from remediator.store.database import Database


async def remembered(place: Path | str, host: str, remedies: Remedies, alertmanager: str | None, now: float) -> Known:
    """What is known. place: of the record. alertmanager: its URL; None where nobody has said where it is.

    Never raises for what cannot be read: that is told.
    """
    known = await _of_record(place, host, remedies)
    try:
        if alertmanager is None:
            raise UpkeeperError("nobody has said where it is")
        async with Alertmanager(alertmanager) as peer:
            silences = await peer.silences()
    except UpkeeperError as error:
        why = f"silences are not known, as Alertmanager cannot be asked: {error}"
        return replace(known, why_not=[*known.why_not, why])
    return replace(known, muted=muted_by(silences, host), muted_since=now - SILENCES_KEPT)


async def _of_record(place: Path | str, host: str, remedies: Remedies) -> Known:
    if isinstance(place, Path) and not await asyncio.to_thread(place.exists):
        return Known()
    database = Database(place, host=host)
    try:
        await asyncio.to_thread(database.open_only)
        return await database.read(partial(_read, host=host, remedies=remedies))
    except (sa.exc.SQLAlchemyError, OSError, UpkeeperError) as error:
        return Known(why_not=[f"the record cannot be read, so that pauses and the like are not known: {error}"])
    finally:
        await database.close()


def _read(connection: sa.Connection, host: str, remedies: Remedies) -> Known:
    records = audit.of_kinds(connection, host, KINDS)
    since = audit.begins_at(connection, host)
    # What a remedy was promoted from counts only where the config still says what it said then.
    now = levels.all_of(connection, host)
    same = {one.name for one in remedies.remedies if one.name in now and now[one.name].configured == one.autonomy}
    return Known(
        since,
        pauses_of(records),
        closed_of(records),
        levels_of(records, same),
        _plans(connection, host, remedies),
    )


def _plans(connection: sa.Connection, host: str, remedies: Remedies) -> Mapping[tuple[str, str], Sequence[Planned]]:
    """Only of tasks of which a remedy has a budget."""
    found: dict[tuple[str, str], list[Planned]] = {}
    tasks = {one.task for one in remedies.remedies if one.budget != type(one.budget)()}
    for task in sorted(tasks):
        for target, at, size, items in spending.planned(connection, host, task):
            found.setdefault((task, target), []).append(Planned(at, size, items))
    return found
