"""The journal of a host that shares its record: kept up to date while the record is there, in use while it is away.

It is a database as one machine has it, in the state directory, with a chain of audit of its own. Off unless the config
says after how long it is taken up (``state: {journal_after: ...}``).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import sqlalchemy as sa
import structlog

from exporter.base.complaints import Complaints
from exporter.base.text import format_time_ms
from remediator.audit.record import Entry
from remediator.control.place import Place
from remediator.model.errors import NoRoom
from remediator.statedir import StateDir
from remediator.store import audit, homecoming, mirror, runs
from remediator.store.database import Database
from remediator.store.mirror import Facts

log = structlog.get_logger(__name__)

REST = 1.0
"""Seconds after a copy, in which what else is stored gathers for the next."""
REST_RATIO = 20.0
"""Times that a copy took, after it: in a storm of alerts each takes a while."""
AGAIN = 5.0
"""Seconds until a copy that failed is tried again."""


class UnderWay(Exception):
    """The journal's own runs are under way, so that it cannot be brought home yet."""


class Journal:
    """One host's. place: of the shared record. follows: whether it is to be kept up to date; else what it holds is only
    brought home. Times are Unix seconds.
    """

    def __init__(self, state: StateDir, place: Place, clock: Callable[[], float], *, follows: bool = True) -> None:
        self._path = state.journal
        self._follows = follows
        self._clock = clock
        self._host = Database(self._path, host=place.host).host
        self._record: Database | None = None
        self._copy: Database | None = None
        self._copied: tuple[int, int] | None = None
        """How many writes had reached the record, and how often others had called, when it was last copied; None where
        it was not by this process."""
        self._calls = 0
        self._took = 0.0
        """Seconds that the last copy took."""
        self.ready = False
        """Whether it could be taken up."""
        self._wanted = asyncio.Event()
        self._copying = asyncio.Lock()
        self._complaints = Complaints(log, "the journal cannot be brought up to date", "the journal is up to date")

    # While the record is there.

    def follow(self, record: Database) -> None:
        """What is stored there from now on is to be copied, if anything."""
        self._record = record
        if not self._follows:
            return
        self._copied = None
        record.on_write = self._wanted.set
        self._wanted.set()

    def look(self) -> None:
        """Another host may have stored something about this one."""
        self._calls += 1
        self._wanted.set()

    async def run(self) -> None:
        """Copies what is stored. Ends by cancellation."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if not await self.copy():
                self._wanted.set()
                await asyncio.sleep(AGAIN)
            await asyncio.sleep(max(REST, REST_RATIO * self._took))

    async def hold(self, run_id: int) -> None:
        """A stored run is about to begin: whatever happens then, the journal knows of it."""
        if self._record is None or self._copy is None or not self.ready:
            return
        try:
            run = await self._record.read(partial(runs.get, run_id=run_id))
            note = partial(mirror.hold, run_id=run_id, host=run.host, task=run.task, target=run.target)
            async with self._copying:
                await self._copy.write(partial(note, now=self._clock()))
        except (sa.exc.SQLAlchemyError, NoRoom, LookupError) as error:
            self._complaints.note((), _line(error))

    async def copy(self) -> bool:
        """Brings the journal up to date, unless it is. False where that failed; it is not in use then."""
        record = self._record
        assert record is not None, "there is a record to be followed"
        async with self._copying:
            if self.exact:
                return True
            begun, calls, self._copied = record.begun, self._calls, None
            try:
                kept = await self._copy_from(record)
            except (sa.exc.SQLAlchemyError, NoRoom, OSError, LookupError) as error:
                self._complaints.note((), _line(error))
                return False
            self._complaints.note((), "")
            self._copied = begun + kept, calls
            self.ready = True
            return True

    async def _copy_from(self, record: Database) -> int:
        """How many writes to the record were its own."""
        if self._copy is None:
            copy = Database(self._path, host=self._host)
            await copy.make_tables()
            self._copy = copy
        known = await self._copy.read(mirror.read_facts) or self._new()
        now = self._clock()
        blocks: Mapping[str, int] | None = None
        if known.blocks is None or now - known.blocks_at > mirror.BLOCK_FOR:
            blocks = await record.write(mirror.keep_numbers)
        fill = partial(mirror.refresh, known=known, now=now, blocks=blocks)
        begun = time.monotonic()
        await record.into(self._copy, fill)
        self._took = time.monotonic() - begun
        return 0 if blocks is None else 1

    def _new(self) -> Facts:
        now = self._clock()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        return Facts(host=self._host, at=now, chain=f"{self._host}{audit.JOURNAL}{stamp}")

    @property
    def followed(self) -> bool:
        """Whether it follows a record, and so has brought home what it held."""
        return self._record is not None

    @property
    def exact(self) -> bool:
        """Whether it has all that this process may have stored in the record."""
        return self._record is not None and self._copied == (self._record.begun, self._calls)

    async def leave(self) -> None:
        """The record is no longer followed."""
        if self._record is not None:
            self._record.on_write = lambda: None
        if self._copy is not None:
            await self._copy.close()
        self._record = self._copy = None
        self.ready = False

    # While it is away.

    async def take(self, *, exact: bool) -> Place:
        """It is in use from now on. Raises LookupError where it cannot be: it says why; and SQLAlchemyError."""
        if not self._path.exists():
            raise LookupError("there is none: the database has not been there since it was asked for")
        journal = Database(self._path, host=self._host)
        try:
            await journal.make_tables()
            known = await journal.read(mirror.read_facts)
            if known is not None and known.host != self._host:
                raise LookupError(f"it is the one of the host {known.host}")
            known = await journal.write(partial(mirror.take, now=self._clock(), exact=exact))
        finally:
            await journal.close()
        chained = Database(self._path, host=self._host, journal=known.chain)
        try:
            await chained.write_opened(partial(_begin, known=known, now=self._clock()))
        finally:
            await chained.close()
        return Place(self._path, self._host, known.chain, known.taken_at)

    async def bring_home(self, record: Database) -> None:
        """Brings what the journal holds into the record, if it was in use, and removes it then.

        The record is open, and this process has the host's name. Raises UnderWay, and SQLAlchemyError where the record
        does not answer; then the journal is as it was. One that cannot be brought home is kept aside, with an error in
        the log.
        """
        if not self._path.exists():
            return
        journal = Database(self._path, host=self._host)
        try:
            await journal.make_tables()
            known = await journal.read(mirror.read_facts)
            if known is None or known.taken_at is None:
                if not self._follows:
                    await journal.close()
                    self._remove()
                return
            if not await record.read(partial(homecoming.is_home, known=known)):
                begun: Sequence[int] = () if known.bringing else await journal.read(homecoming.under_way)
                if begun:
                    raise UnderWay
                await journal.write(mirror.mark_bringing)
                await self._bring(journal, record, known)
        finally:
            await journal.close()
        self._remove()

    async def _bring(self, journal: Database, record: Database, known: Facts) -> None:
        now = self._clock()
        try:
            if known.host != self._host:
                raise ValueError(f"it is the one of the host {known.host}, and this one is {self._host}")
            brought = await journal.into(record, partial(homecoming.bring, known=known, now=now))
        except (ValueError, LookupError, sa.exc.IntegrityError, sa.exc.DataError, sa.exc.ProgrammingError) as error:
            aside = self._path.with_name(f"{self._path.name}.kept-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}")
            log.exception("the journal cannot be brought home, and is kept", file=str(aside))
            body = {"file": aside.name, "reason": _line(error), "chain": known.chain}
            await record.write(lambda there: audit.append(there, self._host, Entry("journal.kept", now, body=body)))
            await journal.close()
            self._path.rename(aside)
            return
        log.info(
            "the journal is home",
            since=format_time_ms(known.taken_at or now),
            runs=brought.runs,
            alerts=brought.alerts,
            decisions=brought.decisions,
            records=brought.records,
        )

    def _remove(self) -> None:
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).unlink()


def _line(error: BaseException) -> str:
    """The first line of what is wrong."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _begin(connection: sa.Connection, known: Facts, now: float) -> None:
    """The journal's chain says behind which record of the host's it goes on."""
    host = known.host
    head = audit.head(connection, host)
    if head is None:
        audit.begin(connection, host, now)
        body = {"host": host, "number": known.head[0], "hash": known.head[1]} if known.head else {"host": host}
        audit.append(connection, host, Entry("journal.begun", now, body={**body, "exact": known.exact}))
