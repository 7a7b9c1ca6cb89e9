"""Starts the jobs of the schedule when they are due, in the background, and records what became of each due time.

A due time and the runs that it leads to are stored in one transaction, and the database holds that no due time is
stored twice: a process that is killed at any moment has either begun with it or not, and the next one goes on.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial

import sqlalchemy as sa
import structlog

from exporter.base.units import format_duration
from remediator.config.schedule import Job, Schedule
from remediator.config.timezones import machine_zone
from remediator.decide.means import Means
from remediator.guards.guard import Subject
from remediator.guards.judge import UNKNOWN_FOR
from remediator.model.caller import Caller
from remediator.model.errors import NoRoom
from remediator.model.job import DueTime, JobRecord
from remediator.model.words import Outcome
from remediator.schedule.alarm import Alarm
from remediator.schedule.autonomy import only_plans
from remediator.schedule.calendar import Calendar
from remediator.schedule.ending import after_end, ended
from remediator.schedule.metrics import JobMetrics
from remediator.schedule.positions import Moment, Positions, has_come, positions, set_back, to_shorten
from remediator.schedule.standing import Standing, standings
from remediator.schedule.starting import Attempt, Starting, patience, with_targets
from remediator.store import jobs
from remediator.store.room import ROOM_INTERVAL

log = structlog.get_logger(__name__)

NOBODY = "no remediator was running"
ASLEEP = "the machine slept, or its clock was set forward"


@dataclass(frozen=True)
class _Seen:
    """What a look found, which is then stored."""

    found: Positions
    attempts: Sequence[Attempt]
    ended: Sequence[tuple[DueTime, Outcome]]
    in_part: frozenset[int]
    """Runs with parts of which some went well."""
    gone: Sequence[DueTime]
    """Waited for a guard when their job was taken out of the schedule."""
    shortened: Sequence[tuple[str, float, tuple[float, int] | None]] = ()

    @property
    def is_nothing(self) -> bool:
        return not (self.found.records or self.attempts or self.ended or self.gone or self.shortened)


class Scheduler:
    """Looks at the schedule when something is due, when a run has ended, and when it is told that something changed.

    submit: queues a run. clock, alarm, zone: the time, how it is waited for, and the machine's time zone.
    """

    def __init__(
        self,
        means: Means,
        schedule: Callable[[], Schedule],
        submit: Callable[[int], Awaitable[None]],
        metrics: JobMetrics,
        alarm: Alarm | None = None,
        zone: Callable[[], tzinfo] = machine_zone,
    ) -> None:
        self._database = means.database
        self._host = means.database.host
        self._judge = means.judge
        self._tasks = means.tasks
        self._remedies = means.remedies
        self._schedule = schedule
        self._submit = submit
        self._metrics = metrics
        self._clock = means.clock
        self._alarm = alarm
        self._zone = zone
        self._late = NOBODY
        self._calendar: tuple[Schedule, str, Calendar] | None = None

    def wake(self) -> None:
        """Something may have changed: a run ended, a pause, the schedule."""
        if self._alarm is not None:
            self._alarm.ring()

    async def run(self) -> None:
        """Looks whenever something is due. Ends by cancellation."""
        self._alarm = self._alarm or Alarm()
        while True:
            await self._alarm.wait(await self._look())

    async def _look(self) -> float | None:
        try:
            return await self.look()
        except NoRoom:
            return self._clock() + ROOM_INTERVAL  # logged by the store, once; what is due stays due
        except (sa.exc.SQLAlchemyError, OSError):
            log.exception("the schedule could not be looked at")
            return self._clock() + UNKNOWN_FOR

    async def look(self) -> float | None:
        """Starts what is due, and notes what has ended. When to look again (Unix seconds); None: on an event."""
        now = self._clock()
        calendar = self._in_force()
        records = await self._database.read(partial(jobs.records, host=self._host))
        seen = await self._see(calendar, records, now)
        self._late = ASLEEP
        if not seen.is_nothing:
            subjects = self._subjects(seen.attempts)
            gathered = await self._judge.gather(set(subjects.values()), now)
            starting = Starting(self._host, gathered, subjects, now)
            records = await self._database.write(partial(self._store, seen, starting))
            for run_id in starting.made:
                await self._submit(run_id)
        return await self._stand(calendar, records, now)

    def _in_force(self) -> Calendar:
        schedule, zone = self._schedule(), self._zone()
        if self._calendar is None or self._calendar[0] is not schedule or self._calendar[1] != str(zone):
            self._calendar = (schedule, str(zone), Calendar.of(schedule, zone))
        return self._calendar[2]

    async def _see(self, calendar: Calendar, records: Mapping[str, JobRecord], now: float) -> _Seen:
        back = set_back(records, now)
        shortened: Sequence[tuple[str, float, tuple[float, int] | None]] = ()
        taken: Mapping[str, Collection[float]] = {}
        if back > 0:
            log.warning("the clock was set back", by=format_duration(back))
            missed = await self._database.read(partial(jobs.missed_after, host=self._host, now=now))
            shortened = to_shorten(calendar, missed, now)
        if has_come(calendar, records, now):
            oldest = min((record.handled_until for record in records.values()), default=now)
            taken = await self._database.read(partial(jobs.taken, host=self._host, after=min(oldest, now)))
        found = positions(calendar, records, taken, Moment(self._host, now, self._late))
        opened = await self._database.read(partial(jobs.open_ones, host=self._host))
        over = await self._ended(opened)
        ids = {run_id for due, _ in over for run_id in due.run_ids}
        return _Seen(
            found=found,
            attempts=await self._attempts(calendar, found, opened, now),
            ended=over,
            in_part=await self._database.read(partial(jobs.well_in_part, run_ids=ids)) if ids else frozenset(),
            gone=[due for due in opened if due.state == "waiting" and calendar.job(due.job) is None],
            shortened=shortened,
        )

    async def _attempts(
        self, calendar: Calendar, found: Positions, opened: Sequence[DueTime], now: float
    ) -> Sequence[Attempt]:
        """Those that waited first: they are older."""
        made = []
        for due in opened:
            job = calendar.job(due.job)
            if due.state != "waiting" or job is None:
                continue
            left = [each.target for each in due.targets if each.run_id is None]
            one = Attempt(job, due.due_at, left, number=due.id, give_up_at=due.give_up_at or now)
            made.append(one if left else await with_targets(one, self._tasks()))
        for job, owed in found.due:
            until = patience(job, calendar, self._host, owed, now)
            one = Attempt(job, owed.due_at, reason=owed.reason, give_up_at=until)
            made.append(await with_targets(one, self._tasks()))
        return made

    async def _ended(self, opened: Sequence[DueTime]) -> Sequence[tuple[DueTime, Outcome]]:
        running = [due for due in opened if due.state == "running"]
        if not running:
            return ()
        ids = {run_id for due in running for run_id in due.run_ids}
        outcomes = await self._database.read(partial(jobs.outcomes, run_ids=ids))
        found = [(due, ended(due, outcomes)) for due in running]
        return [(due, outcome) for due, outcome in found if outcome is not None]

    def _observes(self, job: Job) -> bool:
        task = self._tasks().get(job.task)
        return task is not None and only_plans(job, task)

    def _subjects(self, attempts: Sequence[Attempt]) -> Mapping[tuple[str, str], Subject]:
        """What the guards are to know of, by job and target."""
        return {
            (each.job.name, target): self._subject(each.job, target) for each in attempts for target in each.targets
        }

    def _subject(self, job: Job, target: str) -> Subject:
        settings = self._remedies().guarding(Caller("schedule", job.name), job.task, target)
        return Subject.of(self._host, job.task, target, settings, observing=self._observes(job))

    def _store(self, seen: _Seen, starting: Starting, connection: sa.Connection) -> Mapping[str, JobRecord]:
        """Stores all of it in one transaction; the records as they are then."""
        starting.made.clear()  # a transaction may be begun again
        host, now = self._host, starting.now
        for name, due_at, left in seen.shortened:
            jobs.shorten(connection, host, name, due_at, left)
        for job, owed in seen.found.passed:
            assert owed.what != "run"
            jobs.note(
                connection, host, job.name, owed.due_at, owed.what, now,
                reason=owed.reason, first_due_at=owed.first_due_at, count=owed.count,
            )  # fmt: skip
        before = jobs.records(connection, host)
        after = {**before, **{record.name: record for record in seen.found.records}}
        for due, outcome in seen.ended:
            jobs.settle(connection, due.id, "ran", due.targets, outcome=outcome, finished_at=now)
            in_part = not seen.in_part.isdisjoint(due.run_ids)
            after[due.job] = after_end(after[due.job], due, outcome, now, in_part=in_part)
        for due in seen.gone:
            jobs.give_up(connection, host, due, "the job is no longer in the schedule", now)
        for each in seen.attempts:
            after[each.job.name] = starting.start(connection, each, after[each.job.name])
        for name, record in after.items():
            if record != before.get(name):
                jobs.keep(connection, host, record)
        return after

    async def _stand(self, calendar: Calendar, records: Mapping[str, JobRecord], now: float) -> float | None:
        """Tells the metrics how the jobs stand; when the first of them is to be looked at again."""
        opened = await self._database.read(partial(jobs.open_ones, host=self._host))
        busy = {due.job for due in opened if due.state == "running"}
        found: Sequence[Standing] = standings(calendar, records, busy, self._host, now)
        self._metrics.stand(found)
        moments = [each.next_at for each in found]
        moments += [each for due in opened if due.state == "waiting" for each in (due.retry_at, due.give_up_at)]
        return min((moment for moment in moments if moment is not None), default=None)
