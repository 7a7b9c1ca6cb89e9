"""The hosts that share the database, and asking one of them for a run."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa

from exporter.base.text import format_time_ms, nearest
from remediator.control.targets import groups
from remediator.guards.in_flight import block_by
from remediator.model.caller import Caller
from remediator.model.errors import not_found, refused, unavailable
from remediator.model.run import Request
from remediator.model.shapes.answers import Page
from remediator.model.shapes.hosts import HostView, TargetGroup
from remediator.model.shapes.runs import RunView
from remediator.store import fleet, pages, runs
from remediator.store.database import Database
from remediator.store.fleet import Standing


class Fleet:
    """caller: who asks. serves: whether this process is the host's remediator."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        caller: Callable[[], Caller],
        serves: Callable[[], bool],
    ) -> None:
        self._database = database
        self._clock = clock
        self._caller = caller
        self._serves = serves

    async def hosts(self) -> Page[HostView]:
        found = await self._database.read(partial(fleet.standings, now=self._clock()))
        return {"items": [self._view(one) for one in found], "next": None}

    async def sd(self, *, service: str = "exporter", port: int | None = None) -> list[TargetGroup]:
        """The hosts as targets of Prometheus, those that are down too."""
        return groups((await self.hosts())["items"], service, port)

    def _view(self, one: Standing) -> HostView:
        here = one.host == self._database.host
        answers = here and self._serves()
        # On one machine's own database nobody gives signs of life, nor in a journal: whoever answers is there.
        alone = self._database.one_machine or (here and self._database.journal is not None)
        up = answers if alone else one.up
        return {
            "host": one.host,
            "here": here,
            "up": up,
            "version": one.version,
            "node": one.node,
            "address": one.address,
            "started_at": format_time_ms(one.started_at),
            "last_seen_at": format_time_ms(self._clock() if answers else one.seen_at),
            "queue": one.queue,
            "waiting": one.waiting,
            "alerts": one.alerts,
            "paused": one.paused,
            "labels": dict(one.labels),
        }

    async def hand_over(
        self, host: str, task: str, target: str, *, dry_run: bool, params: Mapping[str, Any]
    ) -> RunView:
        """Asks another host for a run, which knows whether there is such a task and target there. Raises RequestError
        unless the host is up.
        """
        standings = {one.host: one for one in await self._database.read(partial(fleet.standings, now=self._clock()))}
        one = standings.get(host)
        if one is None:
            hint = nearest(host, standings) or f"known hosts: {', '.join(sorted(standings))}"
            raise not_found(f"there is no host {host!r}; {hint}")
        if not one.up:
            raise unavailable(f"host {host} is down: it was last seen at {format_time_ms(one.seen_at)}")
        request = Request(
            host=host, task=task, target=target, caller=self._caller(), dry_run=dry_run, params=params,
            via=self._database.host,
        )  # fmt: skip
        run_id, new = await self._database.write(partial(_store, request=request, now=self._clock()))
        if not new:
            block = block_by(run_id)
            raise refused(block.guard, block.reason)
        return await self._database.read(partial(pages.one_run, run_id=run_id))


def _store(connection: sa.Connection, request: Request, now: float) -> tuple[int, bool]:
    run_id, new = runs.create_unless_in_flight(connection, request, now)
    fleet.call(connection, [request.host])
    return run_id, new
