"""The service verifies its own host's audit: whole at the start and once a day, what is new once an hour."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from remediator.audit.record import Entry
from remediator.audit.verify import Chain, Head
from remediator.control.again import to_be_tried_again
from remediator.store import audit
from remediator.store.database import Database

log = structlog.get_logger(__name__)

INTERVAL = 3600.0
"""Seconds between two looks at what is new."""
WHOLE_INTERVAL = 86400.0
"""Seconds between two verifications of the whole chain."""
MAX_NOTED = 100
"""Records in one transaction."""
REST = 0.02
"""Seconds after each page of records, so that a long chain is read beside other work without being noticed."""


class Auditing:
    """Verifies the chain of this host, page by page, with little in memory."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._chain: Chain | None = None
        """As far as it was found whole."""
        self._seen: Head | None = None
        self._whole_at = 0.0
        self._to_be_noted: list[Entry] = []
        self.verified_at: float | None = None
        """When it was last found whole (Unix seconds)."""
        self.faults: Sequence[str] = ()
        """What was last found wrong with it."""

    async def note(self, entry: Entry) -> None:
        """Records what nothing is stored about; where that fails, later."""
        self._to_be_noted.append(entry)
        with to_be_tried_again("the audit could not be written"):
            await self._write_noted()

    async def _write_noted(self) -> None:
        noted = self._to_be_noted[:MAX_NOTED]
        if noted:
            await self._database.write(lambda connection: audit.append(connection, self._database.host, *noted))
            del self._to_be_noted[: len(noted)]

    async def run(self) -> None:
        """Verifies now and from time to time. Ends by cancellation."""
        while True:
            with to_be_tried_again("the audit could not be written or read"):
                await self._write_noted()
                await self.verify()
            await asyncio.sleep(INTERVAL)

    async def verify(self) -> Sequence[str]:
        """What is wrong with the chain; nothing when it is whole."""
        now = self._clock()
        chain = self._chain
        if chain is None or not 0 <= now - self._whole_at < WHOLE_INTERVAL or await self._has_another_end(chain):
            chain = await self._whole()
            self._whole_at = now
        else:
            await self._read_on(chain)
            if chain.faults:
                chain = await self._whole()
        self.faults = chain.faults
        self._chain = None if self.faults else chain
        if not self.faults and chain.last is not None:
            self._seen = Head(chain.last.number, chain.last.hash)
            self.verified_at = now
        self._tell(chain)
        return self.faults

    async def _whole(self) -> Chain:
        """The chain, read anew. Twice where it seems broken: retention may have deleted what was to be read next."""
        for _ in range(2):
            # What this process has seen the chain end with, it must still hold.
            chain = Chain(self._database.chain, [self._seen] if self._seen is not None else [])
            await self._read_on(chain)
            if not chain.faults:
                break
        return chain

    async def _has_another_end(self, chain: Chain) -> bool:
        """Whether the last record that was verified is no longer what it was."""
        last = chain.last
        if last is None:
            return True
        same = partial(audit.records, host=chain.host, after=last.number - 1, limit=1)
        return list(await self._database.read(same)) != [last]

    async def _read_on(self, chain: Chain) -> None:
        """Takes what there is behind the chain's last record, up to the end as it is in the last page's moment."""
        while True:
            after = chain.last.number if chain.last is not None else 0
            records, head = await self._database.read(partial(audit.page, host=chain.host, after=after))
            chain.take(records)
            if len(records) < audit.READ_AT_ONCE:
                chain.end(head)
                return
            await asyncio.sleep(REST)

    def _tell(self, chain: Chain) -> None:
        """The head of a whole chain goes into the log, where whoever cuts off the chain cannot take it back."""
        if self.faults:
            log.error("the audit is broken", host=chain.host, faults=list(self.faults), more=chain.more)
        elif chain.last is not None:
            log.info("audit verified", host=chain.host, records=chain.last.number, head=chain.last.hash)
