"""Cancelling a run: at once where it has not begun to act, else before its next action."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from remediator.audit.record import Entry
from remediator.model.caller import Caller
from remediator.model.errors import conflict, not_found
from remediator.model.run import Run
from remediator.model.shapes.runs import RunView
from remediator.runs.closing import Closing
from remediator.runs.verify import Conclusion
from remediator.store import approvals, audit, fleet, pages, parts, runs
from remediator.store.database import Database

log = structlog.get_logger(__name__)

_AT_ONCE = frozenset({"queued", "waiting", "measuring", "planning"})
"""States of a run that has not begun to act."""

Ended = Sequence[tuple[Run, Conclusion]]


class Cancelling:
    """Cancels runs, with those that are parts of them, on whichever host they are.

    caller: who cancels. look: called when a composite may have to go on, to its end. ask: asks another host.
    """

    def __init__(
        self,
        database: Database,
        closing: Closing,
        clock: Callable[[], float],
        caller: Callable[[], Caller],
        look: Callable[[], None],
        ask: Callable[..., Awaitable[Any]],
    ) -> None:
        self._ask = ask
        self._database = database
        self._closing = closing
        self._clock = clock
        self._caller = caller
        self._look = look

    async def cancel_run(self, id: int, reason: str = "") -> RunView:
        """Cancels a run. One that was cancelled before, and still ends its action, is left to that.

        Raises RequestError where none has that id, where it has ended, or is only being measured again.
        """
        if self._database.held:
            host = await self._database.read(partial(_host_of, run_id=id))
            if host != self._database.host:
                there: RunView = await self._ask(host, "cancel_run", id=id, reason=reason)
                return there
        now, caller = self._clock(), self._caller()
        cancel = partial(self._cancel, run_id=id, reason=reason, caller=caller, now=now)
        for run, verdict in await self._database.write(cancel):
            self._closing.tell(run, verdict, seconds=None, now=now)
        log.info("run cancelled", run=id, by=caller.name, reason=reason)
        self._look()
        return await self._database.read(partial(pages.one_run, run_id=id))

    def _cancel(self, connection: sa.Connection, run_id: int, reason: str, caller: Caller, now: float) -> Ended:
        """In one transaction: notes it of all that belongs together, and closes what has not begun to act."""
        run = _known(connection, run_id)
        if run.host != self._database.host:
            fleet.join_writers(connection, run.host)
            fleet.call(connection, [run.host], everything=True)  # also at what the run held back
        by = f"by {caller.name or caller.trigger}{f': {reason}' if reason else ''}"
        entry = Entry("run.cancelled", now, caller, {"reason": reason}, run_id)
        ended = [*self._one(connection, run_id, f"cancelled {by}", entry)]
        _require_noted(connection, run_id, bool(ended))
        for part in parts.below(connection, run_id):
            with_it = f"cancelled with run {run_id} {by}"
            ended += self._one(connection, part, with_it, replace(entry, run_id=part))
        return ended

    def _one(self, connection: sa.Connection, run_id: int, why: str, entry: Entry) -> Ended:
        """Notes it of one run, and closes that if it can be closed at once."""
        state = runs.cancel(connection, run_id, why)
        if state is None:
            return []
        run, now = runs.get(connection, run_id), entry.at
        audit.append(connection, run.host, replace(entry, body={**entry.body, "state": state}))
        if state not in _AT_ONCE:
            return []
        asked = approvals.of_run(connection, run_id)
        if asked is not None:
            approvals.end(connection, asked, "cancelled", why, now)
        verdict = Conclusion("cancelled", f"{why}; nothing had been done")
        return [(run, verdict)] if self._closing.close(connection, run_id, verdict, now) else []


def _known(connection: sa.Connection, run_id: int) -> Run:
    try:
        return runs.get(connection, run_id)
    except LookupError as error:
        raise not_found(f"there is no run {run_id}") from error


def _host_of(connection: sa.Connection, run_id: int) -> str:
    return _known(connection, run_id).host


def _require_noted(connection: sa.Connection, run_id: int, closed: bool) -> None:
    """Raises RequestError unless a run was closed just now, or ends its action and then is."""
    run = runs.get(connection, run_id)
    if closed or (run.cancelled is not None and run.state != "finished"):
        return
    if run.state == "verifying":
        raise conflict(f"run {run_id} has no action left to be stopped: its target is being measured again")
    raise conflict(f"run {run_id} has ended: upkeeper show {run_id}")
