"""Looks at stored alerts, in the background: when they come and when they are due. Queues the runs that follow."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
import structlog

from remediator.decide.decide import decide
from remediator.decide.remedies import Remedies
from remediator.guards.evaluate import UNKNOWN_FOR
from remediator.metrics import Metrics
from remediator.model.caller import Caller
from remediator.model.decision import Decision, Look, Selection
from remediator.model.errors import NoRoom
from remediator.model.hold import DAY, Facts
from remediator.model.run import Request
from remediator.model.task import Task, TaskError
from remediator.store import alerts, decisions, holds, runs
from remediator.store.alerts import Looked, Waiting
from remediator.store.database import Database
from remediator.store.decisions import Latest, New, Repeat
from remediator.store.room import ROOM_INTERVAL

log = structlog.get_logger(__name__)

BATCH = 100
"""Alerts decided in one transaction: enough to keep up, and short enough not to hold up the webhook."""
HEARD_WITHIN = 1800.0
"""Seconds since an alert was last received in which a due look takes it for firing: nothing is done about one whose end
was lost on the way. Our Alertmanager repeats an alert six times in it, and the default cooldown fits twice."""
LONGEST_SLEEP = 60.0
"""Seconds between two looks at the clock while something is due: it may be set, and the machine may sleep."""

Targets = Mapping[str, Collection[str] | TaskError]
"""The targets of each task, or why they cannot be told."""


@dataclass
class _Decided:
    """What one batch led to."""

    new: list[New] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)


class Decider:
    """Takes stored alerts that came, oldest first, and those that are due.

    submit: queues a run in the engine.
    """

    def __init__(
        self,
        database: Database,
        tasks: Callable[[], Mapping[str, Task]],
        remedies: Callable[[], Remedies],
        submit: Callable[[int], Awaitable[None]],
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._remedies = remedies
        self._submit = submit
        self._metrics = metrics
        self._clock = clock
        self._wake = asyncio.Event()
        self._all_due = False

    def wake(self) -> None:
        """There may be something to look at."""
        self._wake.set()

    def look_at_all(self) -> None:
        """What was decided may be otherwise now: remedies, pauses or breakers have changed."""
        self._all_due = True
        self._wake.set()

    async def run(self) -> None:
        """Looks whenever an alert came or is due. Ends by cancellation."""
        self.look_at_all()
        while True:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(await self._look()):
                    await self._wake.wait()

    async def _look(self) -> float | None:
        """Looks at everything that waits. The seconds until there is something to look at again; None: an event."""
        try:
            while await self.decide_batch():
                pass
            due = await self._database.read(alerts.next_due)
        except NoRoom:
            return ROOM_INTERVAL  # said by the store, once; what waits there is looked at when there is room again
        except (sa.exc.SQLAlchemyError, OSError):
            # The alerts are still stored as they were: they are looked at again then.
            log.exception("decisions could not be stored")
            return UNKNOWN_FOR
        return None if due is None else max(0.0, min(due - self._clock(), LONGEST_SLEEP))

    async def decide_batch(self) -> int:
        """Looks at some of the waiting alerts; how many."""
        now = self._clock()
        if self._all_due:
            self._all_due = False
            try:
                await self._database.write(partial(alerts.all_due, now=now))
            except BaseException:
                self._all_due = True
                raise
        waiting = await self._database.write(partial(alerts.waiting, now=now, limit=BATCH))
        if not waiting:
            return 0
        remedies = self._remedies()
        selections = [selection for alert in waiting for selection in remedies.select(alert.labels)]
        targets = await self._targets({selection.remedy.task for selection in selections})
        decided = await self._database.write(
            partial(
                _look_at_batch, host=self._database.host, batch=waiting, remedies=remedies, targets=targets, now=now
            )
        )
        for decision in (each.decision for each in decided.new):
            remedy = decision.selection.remedy.name if decision.selection else None
            self._metrics.decided(remedy, decision.verdict, decision.guard)
        for run_id in (each.run_id for each in decided.new if each.run_id is not None):
            await self._submit(run_id)
        return len(waiting)

    async def _targets(self, names: Collection[str]) -> Targets:
        found: dict[str, Collection[str] | TaskError] = {}
        for name in names:
            task = self._tasks().get(name)
            if task is None:
                continue
            try:
                found[name] = frozenset(await task.targets())
            except TaskError as error:
                found[name] = error
        return found


class _Facts:
    """What the guards judge by, read once for each task and target, and again after the batch has made a run there."""

    def __init__(self, connection: sa.Connection, host: str, now: float) -> None:
        self._connection = connection
        self.host = host
        self._now = now
        self._read: dict[tuple[str, str, bool], Facts] = {}

    def __call__(self, selection: Selection) -> Facts:
        assert selection.target is not None, "guards are asked about a target that there is"
        observing = selection.remedy.autonomy == "observe"
        key = (selection.remedy.task, selection.target, observing)
        if key not in self._read:
            task, target, _ = key
            self._read[key] = holds.facts(self._connection, self.host, task, target, self._now, observing=observing)
        return self._read[key]

    def make_run(self, request: Request) -> int:
        """Stores a run to be done; its id."""
        for observing in (False, True):
            self._read.pop((request.task, request.target, observing), None)
        return runs.create(self._connection, request, self._now)


def _look_at_batch(
    connection: sa.Connection, host: str, batch: Sequence[Waiting], remedies: Remedies, targets: Targets, now: float
) -> _Decided:
    decided = _Decided()
    facts = _Facts(connection, host, now)
    ids = [alert.id for alert in batch]
    firing = alerts.firing(connection, ids)
    tries = runs.tries(connection, ids, since=now - DAY)
    latest = decisions.latest(connection, ids)
    looked = []
    for alert in batch:
        look = Look()
        if alert.id in firing and _is_heard_of(alert, now):
            look = decide(alert.labels, remedies, targets, facts, tries.get(alert.id, ()), now)
            _keep(alert, look, latest.get(alert.id, {}), facts, decided)
        looked.append(Looked(alert, look.due_at if alert.id in firing else None))
    decisions.insert(connection, host, decided.new, now)
    decisions.count_repeats(connection, decided.repeats, now)
    alerts.settle(connection, looked)
    return decided


def _is_heard_of(alert: Waiting, now: float) -> bool:
    """Whether the alert still fires, as far as can be told: its end may have been lost on the way."""
    return alert.came or (not alert.superseded and now - alert.last_received_at <= HEARD_WITHIN)


def _keep(alert: Waiting, look: Look, latest: Mapping[str | None, Latest], facts: _Facts, decided: _Decided) -> None:
    """Notes what the look led to, making the runs that it asks for."""
    for decision in look.decisions:
        before = latest.get(decision.selection.remedy.name if decision.selection else None)
        if decision.verdict in ("run", "observe"):
            decided.new.append(New(alert.id, decision, facts.make_run(_request(facts.host, alert, decision))))
        elif before is not None and before.is_as(decision):
            decided.repeats.append(Repeat(before.id, decision.reason))
        else:
            decided.new.append(New(alert.id, decision, None))
    if alert.came and not look.decisions and latest:  # still broken, and nothing new to decide
        decided.repeats.append(Repeat(max(one.id for one in latest.values())))


def _request(host: str, alert: Waiting, decision: Decision) -> Request:
    selection = decision.selection
    assert selection is not None, "a decision to run is about a target"
    assert selection.target is not None, "a decision to run is about a target"
    remedy = selection.remedy
    return Request(
        host=host,
        task=remedy.task,
        target=selection.target,
        caller=Caller("alert", remedy.name),
        dry_run=decision.verdict == "observe",
        alert_id=alert.id,
    )
