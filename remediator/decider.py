"""Decides about stored alerts, in the background, and queues the runs that follow."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
import structlog

from remediator.decide import Decision, Remedies, Selection, decide
from remediator.errors import NoRoom
from remediator.guards import Facts
from remediator.metrics import Metrics
from remediator.store import alerts, decisions, holds, runs
from remediator.store.alerts import Undecided
from remediator.store.database import Database
from remediator.store.decisions import Latest, New, Repeat
from remediator.store.room import ROOM_INTERVAL
from remediator.tasks import Task, TaskError

log = structlog.get_logger(__name__)

BATCH = 100
"""Alerts decided in one transaction: enough to keep up, and short enough not to hold up the webhook."""

Targets = Mapping[str, Collection[str] | TaskError]
"""The targets of each task, or why they cannot be told."""


@dataclass
class _Decided:
    """What one batch led to."""

    new: list[New] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)


class Decider:
    """Takes stored alerts that wait for a decision, oldest first.

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

    def wake(self) -> None:
        """There may be something to decide."""
        self._wake.set()

    async def run(self) -> None:
        """Decides whenever there is something to decide. Ends by cancellation."""
        while True:
            self._wake.clear()
            try:
                while await self.decide_batch():
                    pass
            except NoRoom:
                # Said by the store, once. What waits there is decided when there is room again.
                await asyncio.sleep(ROOM_INTERVAL)
                continue
            except (sa.exc.SQLAlchemyError, OSError):
                # The alerts are still stored as undecided: the next one that comes, or a restart, brings them back.
                log.exception("decisions could not be stored")
            await self._wake.wait()

    async def decide_batch(self) -> int:
        """Decides about some of the waiting alerts; how many."""
        waiting = await self._database.write(partial(alerts.undecided, limit=BATCH))
        if not waiting:
            return 0
        remedies = self._remedies()
        selections = [remedies.select(alert.labels) for alert in waiting]
        targets = await self._targets({selection.remedy.task for selection in selections if selection})
        decided = await self._database.write(
            partial(_decide_batch, batch=waiting, remedies=remedies, targets=targets, now=self._clock())
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

    def __init__(self, connection: sa.Connection, now: float) -> None:
        self._connection = connection
        self._now = now
        self._read: dict[tuple[str, str], Facts] = {}

    def __call__(self, task: str, target: str) -> Facts:
        if (task, target) not in self._read:
            self._read[task, target] = holds.facts(self._connection, task, target, self._now)
        return self._read[task, target]

    def make_run(self, request: runs.Request) -> int:
        """Stores a run to be done; its id."""
        self._read.pop((request.task, request.target), None)
        return runs.create(self._connection, request, self._now)


def _decide_batch(
    connection: sa.Connection, batch: Sequence[Undecided], remedies: Remedies, targets: Targets, now: float
) -> _Decided:
    decided = _Decided()
    facts = _Facts(connection, now)
    ids = [alert.id for alert in batch]
    ran = decisions.episodes_with_run(connection, ids)
    latest = decisions.latest(connection, ids)
    for alert in batch:
        before = latest.get(alert.id)
        if alert.id not in ran:
            _decide_one(alert, before, remedies, targets, facts, decided)
        elif before is not None:  # still broken, and nothing new to decide
            decided.repeats.append(Repeat(before.id))
    decisions.insert(connection, decided.new, now)
    decisions.count_repeats(connection, decided.repeats, now)
    alerts.settle(connection, batch)
    return decided


def _decide_one(
    alert: Undecided, before: Latest | None, remedies: Remedies, targets: Targets, facts: _Facts, decided: _Decided
) -> None:
    decision = _decision(alert, remedies, targets, facts)
    run_id = None
    if decision.selection is not None and decision.verdict in ("run", "observe"):
        run_id = facts.make_run(_request(alert, decision.selection, decision.verdict == "observe"))
    if before is not None and run_id is None and before.is_as(decision):
        decided.repeats.append(Repeat(before.id, decision.reason))
    else:
        decided.new.append(New(alert.id, decision, run_id))


def _decision(alert: Undecided, remedies: Remedies, targets: Targets, facts: _Facts) -> Decision:
    known = {task: names for task, names in targets.items() if not isinstance(names, TaskError)}
    selection = remedies.select(alert.labels)
    if selection is not None and isinstance(error := targets.get(selection.remedy.task), TaskError):
        return Decision("blocked", f"the targets cannot be told now: {error}", selection, guard="targets")
    return decide(alert.labels, remedies, known, facts)


def _request(alert: Undecided, selection: Selection, dry_run: bool) -> runs.Request:
    remedy = selection.remedy
    return runs.Request(remedy.task, selection.target, "alert", dry_run, remedy=remedy.name, alert_id=alert.id)
