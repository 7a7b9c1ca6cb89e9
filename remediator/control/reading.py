"""The record: alerts, decisions and runs."""

from functools import partial

from remediator.api.operations import PAGE
from remediator.model.errors import not_found
from remediator.model.shapes import AlertView, DecisionView, Page, RunView
from remediator.store import pages
from remediator.store.database import Database


class Reading:
    """Reads the record and nothing else, so that it works even if the config is broken."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def alerts(self, *, limit: int = PAGE, before: int | None = None) -> Page[AlertView]:
        return await self._database.read(partial(pages.list_alerts, limit=limit, before=before))

    async def decisions(self, *, limit: int = PAGE, before: int | None = None) -> Page[DecisionView]:
        return await self._database.read(partial(pages.list_decisions, limit=limit, before=before))

    async def runs(self, *, limit: int = PAGE, before: int | None = None) -> Page[RunView]:
        return await self._database.read(partial(pages.list_runs, limit=limit, before=before))

    async def run(self, id: int) -> RunView:
        try:
            return await self._database.read(partial(pages.one_run, run_id=id))
        except LookupError as error:
            raise not_found(str(error)) from error
