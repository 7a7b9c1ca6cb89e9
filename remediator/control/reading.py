"""The record: alerts, decisions and runs."""

from collections.abc import Sequence
from functools import partial
from typing import get_args

from remediator.api.operations import PAGE
from remediator.audit.record import Record, milliseconds_of
from remediator.model.errors import EXIT_FAILED, RequestError, bad_request, not_found
from remediator.model.shapes.alerts import AlertView, DecisionView
from remediator.model.shapes.answers import Page
from remediator.model.shapes.audit import AuditView, ChainView
from remediator.model.shapes.runs import ArtefactContent, RunView
from remediator.model.words import Outcome, RunState
from remediator.progress import Underway
from remediator.store import artefacts, audit, pages
from remediator.store.database import Database


class Reading:
    """Reads the record and nothing else, so that it works even if the config is broken."""

    def __init__(self, database: Database, underway: Underway) -> None:
        self._database = database
        self._underway = underway

    async def alerts(
        self,
        *,
        limit: int = PAGE,
        before: int | None = None,
        status: str | None = None,
        host: str | None = None,
        fingerprint: str | None = None,
    ) -> Page[AlertView]:
        _require(status, ("firing", "resolved"), "status")
        # In one machine's own database alerts name no host: they are all its own.
        mine = None if self._database.one_machine and host == self._database.host else host
        listing = partial(
            pages.list_alerts, limit=limit, before=before, status=status, host=mine, fingerprint=fingerprint
        )
        return await self._database.read(listing)

    async def decisions(
        self, *, limit: int = PAGE, before: int | None = None, alert: int | None = None, host: str | None = None
    ) -> Page[DecisionView]:
        listing = partial(pages.list_decisions, limit=limit, before=before, alert=alert, host=host)
        return await self._database.read(listing)

    async def runs(
        self,
        *,
        limit: int = PAGE,
        before: int | None = None,
        task: str | None = None,
        target: str | None = None,
        outcome: str | None = None,
        host: str | None = None,
        state: str | None = None,
    ) -> Page[RunView]:
        _require(outcome, get_args(Outcome), "outcome")
        _require(state, get_args(RunState), "state")
        wanted = partial(pages.list_runs, task=task, target=target, outcome=outcome, host=host, state=state)
        return await self._database.read(partial(wanted, limit=limit, before=before))

    async def run(self, id: int) -> RunView:
        try:
            found = await self._database.read(partial(pages.one_run, run_id=id))
        except LookupError as error:
            raise not_found(str(error)) from error
        told = self._underway.seen(id)
        if told is not None and found["state"] == "applying":
            position, progress = told
            found["progress"] = {"position": position, **progress._asdict()}  # type: ignore[typeddict-item]
        return found

    async def artefact(self, id: int) -> ArtefactContent:
        try:
            found, content = await self._database.read(partial(artefacts.read, artefact_id=id))
        except LookupError as error:
            raise not_found(str(error)) from error
        except ValueError as error:
            raise RequestError(str(error), 500, EXIT_FAILED) from error
        return {"name": found.name, "media_type": found.media_type, "content": content}

    async def audit(self, *, limit: int = PAGE, before: int | None = None, run: int | None = None) -> Page[AuditView]:
        found = await self._database.read(partial(audit.newest, limit=limit + 1, before=before, run_id=run))
        following = found[limit - 1][0] if len(found) > limit else None
        return {"items": [_record(record) for _, record in found[:limit]], "next": following}

    async def audit_chains(self) -> Page[ChainView]:
        rows = await self._database.read(audit.chains)
        items: list[ChainView] = [
            {"host": row.host, "records": row.number, "head": row.hash, "deleted": row.deleted} for row in rows
        ]
        return {"items": items, "next": None}

    async def audit_records(
        self, host: str, *, limit: int = PAGE, after: int | None = None, since: str | None = None
    ) -> Page[AuditView]:
        """The records behind the number ``after``; else from the time ``since`` on; else all. Raises RequestError."""
        start = None if since is None else _milliseconds(since)
        if after is None and start is not None:
            after = await self._database.read(partial(audit.before, host=host, at=start))
        found = await self._database.read(partial(audit.records, host=host, after=after or 0, limit=limit + 1))
        if not found and host not in await self._database.read(audit.hosts):
            raise not_found(f"there is no audit of the host {host}")
        following = found[limit - 1].number if len(found) > limit else None
        return {"items": [_record(record) for record in found[:limit]], "next": following}


def _require(word: str | None, known: Sequence[str], name: str) -> None:
    """Raises RequestError for a word that says nothing: it would only ever find nothing."""
    if word is not None and word not in known:
        raise bad_request(f"{name} must be one of {', '.join(known)}")


def _milliseconds(since: str) -> int:
    try:
        return milliseconds_of(since)
    except (ValueError, TypeError, OverflowError):
        raise bad_request("since must be a time like 2026-11-27T14:00:00Z") from None


def _record(record: Record) -> AuditView:
    return record.document()  # type: ignore[return-value]
