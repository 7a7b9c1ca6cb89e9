"""What waits for a person: when that is over, because nobody answered in time or because the alert has ended."""

from collections.abc import Callable, Sequence
from functools import partial

import sqlalchemy as sa

from exporter.base.units import format_duration
from remediator.model.approval import Approval
from remediator.model.run import Run
from remediator.runs.closing import Closing
from remediator.runs.verify import Conclusion
from remediator.store import approvals, runs
from remediator.store.database import Database

Over = tuple[Run, Conclusion]


class Waiting:
    """Ends requests for approval, with their runs."""

    def __init__(self, database: Database, closing: Closing, clock: Callable[[], float]) -> None:
        self._database = database
        self._closing = closing
        self._clock = clock

    async def settle(self) -> None:
        """Ends what is over by now. Raises NoRoom and sqlalchemy.exc.DBAPIError."""
        now, host = self._clock(), self._database.host
        if await self._database.read(partial(_over, host=host, now=now)):
            self.tell(await self._database.write(partial(self.end, host=host, now=now)), now)

    async def next_at(self) -> float | None:
        """When the next request expires (Unix seconds); None where nothing waits."""
        return await self._database.read(partial(approvals.next_expiry, host=self._database.host))

    def end(self, connection: sa.Connection, host: str, now: float) -> Sequence[Over]:
        """The same in a transaction of the caller's, who calls ``tell`` after it."""
        ended = []
        for one, state, verdict in _over(connection, host, now):
            if approvals.end(connection, one.id, state, verdict.reason, now):
                self._closing.close(connection, one.run_id, verdict, now)
                ended.append((runs.get(connection, one.run_id), verdict))
        return ended

    def tell(self, ended: Sequence[Over], now: float) -> None:
        """Tells of them, after the transaction."""
        for run, verdict in ended:
            self._closing.tell(run, verdict, seconds=None, now=now)


def _over(connection: sa.Connection, host: str, now: float) -> Sequence[tuple[Approval, approvals.Ended, Conclusion]]:
    """What is over, as what, and how its run ends by that."""
    ended = approvals.without_alert(connection, host)
    cancelled = Conclusion("cancelled", "the alert ended before anybody had approved the plan")
    known = {one.id for one in ended}
    late = [one for one in approvals.expired(connection, host, now) if one.id not in known]
    return [
        *((one, "cancelled", cancelled) for one in ended),
        *((one, "expired", Conclusion("expired", _unanswered(one))) for one in late),
    ]


def _unanswered(one: Approval) -> str:
    return f"nobody approved the plan within {format_duration(round(one.expires_at - one.asked_at))}"
