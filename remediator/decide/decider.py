"""Looks at stored alerts, in the background: when they come and when they are due. Queues the runs that follow."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import sqlalchemy as sa
import structlog

from remediator.decide.decide import Asked, blocked, decide
from remediator.decide.means import Means
from remediator.decide.subjects import Targets, subject_of, subjects_of, targets_of
from remediator.guards.guard import Case, Subject
from remediator.guards.history import History
from remediator.guards.in_flight import block_by
from remediator.guards.judge import UNKNOWN_FOR, Gathered
from remediator.metrics import Metrics
from remediator.model.caller import Caller
from remediator.model.decision import Decision, Look, Selection, Try
from remediator.model.errors import NoRoom
from remediator.model.hold import DAY
from remediator.model.run import Request
from remediator.model.silence import exactly
from remediator.store import alerts, decisions, holds, runs, silences
from remediator.store.alerts import Looked, Waiting
from remediator.store.decisions import Latest, New, Repeat
from remediator.store.room import ROOM_INTERVAL

log = structlog.get_logger(__name__)

BATCH = 100
"""Alerts for which facts are gathered together: enough to keep up."""
SLICE = 20
"""Of them, those that are decided in one transaction: few enough not to hold up the webhook, which writes between two
of them."""
HEARD_WITHIN = 1800.0
"""Seconds since an alert was last received, or seen in Alertmanager, in which a due look takes it for firing: nothing
is done about one whose end was lost on the way. Our Alertmanager repeats an alert six times in it, and the default
cooldown fits twice."""
PAGED_WITHIN = 120.0
"""Seconds after which people have heard of an alert: then its page is not held back any more. A silence would only keep
from them that it has ended."""
PACE = 0.05
"""Seconds from one look to the next, at least, while alerts come all the time: a look costs much the same for one alert
as for a hundred, and stands in the way of the webhooks that wait for their commit. After a rest the first alert is
looked at as soon as it is stored."""
LONGEST_REST = 0.5
"""Seconds of rest between two batches, at most."""
LONGEST_SLEEP = 60.0
"""Seconds between two looks at the clock while something is due: it may be set, and the machine may sleep."""


@dataclass
class _Decided:
    """What one batch led to."""

    new: list[New] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    holds_page: bool = False


class Waits(Protocol):
    """What waits for a person, which alerts and time may end."""

    async def settle(self) -> None:
        """Ends what is over by now."""

    async def next_at(self) -> float | None:
        """When the next of it is over (Unix seconds); None where nothing waits."""


class Decider:
    """Takes stored alerts that came, oldest first, and those that are due.

    submit: queues a run in the engine. waiting: what ends with an alert, or by the same clock. join: joins new episodes
    with those that they go on from after a restart. hold_pages: called when the page of a run is to be held back.
    """

    def __init__(
        self,
        means: Means,
        submit: Callable[[int], Awaitable[None]],
        metrics: Metrics,
        waiting: Waits,
        join: Callable[[Sequence[int]], Awaitable[None]],
        hold_pages: Callable[[], None],
    ) -> None:
        self._database = means.database
        self._mine = means.database.shared_as
        self._judge = means.judge
        self._tasks = means.tasks
        self._remedies = means.remedies
        self._submit = submit
        self._metrics = metrics
        self._clock = means.clock
        self._join = join
        self._hold_pages = hold_pages
        self._waiting = waiting
        self._wake = asyncio.Event()
        self._all_due = False
        self._ended: dict[int, None] = {}
        """Runs that have ended, whose hold on alerts is not over yet. One that is forgotten by a crash is none: at the
        start all are looked at."""

    def wake(self) -> None:
        """There may be something to look at."""
        self._wake.set()

    def look_at_all(self) -> None:
        """Remedies, pauses or breakers have changed, so decisions may change too."""
        self._all_due = True
        self._wake.set()

    def run_ended(self, run_id: int) -> None:
        """It holds back no alert any more: the end is on disk."""
        self._ended[run_id] = None
        self._wake.set()

    async def run(self) -> None:
        """Looks whenever an alert came or is due. Ends by cancellation."""
        self.look_at_all()
        while True:
            self._wake.clear()
            looked = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(await self._look()):
                    await self._wake.wait()
            await asyncio.sleep(max(0.0, looked + PACE - time.monotonic()))

    async def _look(self) -> float | None:
        """Looks at everything that waits. The seconds until there is something to look at again; None: an event."""
        try:
            while await self._full_batch():
                pass
            dues = [await self._database.read(partial(alerts.next_due, host=self._mine)), await self._waiting.next_at()]
        except NoRoom:
            return ROOM_INTERVAL  # logged by the store, once; alerts in it are looked at when there is room again
        except (sa.exc.SQLAlchemyError, OSError):
            # The alerts are still stored as they were: they are looked at again then.
            log.exception("decisions could not be stored")
            return UNKNOWN_FOR
        due = min((each for each in dues if each is not None), default=None)
        return None if due is None else max(0.0, min(due - self._clock(), LONGEST_SLEEP))

    async def _full_batch(self) -> bool:
        """Looks at as many as go together. False when that was all; what comes meanwhile is another look's.

        While more come, it rests for twice as long as it took: webhooks want the same writer and processor, and
        they are answered first. Decisions may come later in a storm, and no alert may be lost in it.
        """
        self._wake.clear()
        began = time.monotonic()
        if await self.decide_batch() < BATCH:
            return False
        if self._wake.is_set():
            await asyncio.sleep(min(2 * (time.monotonic() - began), LONGEST_REST))
        return True

    async def decide_batch(self) -> int:
        """Looks at some of the waiting alerts; how many."""
        now = self._clock()
        if self._all_due:
            self._all_due = False
            try:
                await self._database.write(partial(alerts.all_due, now=now, host=self._mine))
            except BaseException:
                self._all_due = True
                raise
        await self._let_go(now)
        while await self._database.read(partial(alerts.has_ended, host=self._mine)):
            await self._database.write(partial(alerts.settle_ended, host=self._mine))
        waiting = await self._database.read(partial(alerts.waiting, now=now, limit=BATCH, host=self._mine))
        await self._waiting.settle()
        if not waiting:
            return 0
        following = [alert.id for alert in waiting if alert.follows]
        if following:
            await self._join(following)
        remedies = self._remedies()
        selected = {alert.id: remedies.select(alert.labels) for alert in waiting}
        selections = [selection for found in selected.values() for selection in found]
        targets = await targets_of(self._tasks(), {selection.remedy.task for selection in selections})
        gathered = await self._judge.gather(subjects_of(self._database.host, selections, targets), now)
        # Those about the same together: the guards then say much the same, and it is one record.
        alike = sorted(waiting, key=lambda alert: _first_of(selected[alert.id]))
        for begin in range(0, len(alike), SLICE):
            part = alike[begin : begin + SLICE]

            def look(
                connection: sa.Connection, part: Sequence[Waiting] = part, before: Gathered = gathered
            ) -> tuple[_Decided, Gathered]:
                # Anew each time: on a full disk it is undone and done again, and the runs that it made were none.
                facts = before.copy()
                return _Batch(self._database.host, part, selected, targets, facts, now).look(connection), facts

            decided, gathered = await self._database.write(look)
            await self._follow(decided)
        return len(waiting)

    async def _let_go(self, now: float) -> None:
        """What runs held back that have ended is to be looked at."""
        for run_id in list(self._ended):
            held = await self._database.read(partial(alerts.held_back_by, run_id=run_id, now=now))
            for begin in range(0, len(held), alerts.CHANGED_AT_ONCE):
                part = held[begin : begin + alerts.CHANGED_AT_ONCE]
                await self._database.write(partial(alerts.due, ids=part, now=now))
            self._ended.pop(run_id, None)

    async def _follow(self, decided: _Decided) -> None:
        """What was decided is on disk: counts it, and starts the runs that follow."""
        for decision in (each.decision for each in decided.new):
            remedy = decision.selection.remedy.name if decision.selection else None
            self._metrics.decided(remedy, decision.verdict, decision.guard)
        if decided.holds_page:
            self._hold_pages()
        for run_id in (each.run_id for each in decided.new if each.run_id is not None):
            await self._submit(run_id)


@dataclass(frozen=True)
class _Batch:
    """Alerts to be looked at in one transaction, by facts that were gathered before it."""

    host: str
    alerts: Sequence[Waiting]
    selected: Mapping[int, Sequence[Selection]]
    """What the remedies that match each of them select."""
    targets: Targets
    gathered: Gathered
    now: float
    asked: dict[tuple[str, str | None], Asked] = field(default_factory=dict)
    """What the guards said, by remedy and target: of many alerts they say the same."""

    def look(self, connection: sa.Connection) -> _Decided:
        """Decides about each alert, making the runs that follow."""
        decided = _Decided()
        ids = [alert.id for alert in self.alerts]
        firing = alerts.firing(connection, ids)
        tries = runs.tries(connection, ids, since=self.now - DAY)
        latest = decisions.latest(connection, ids)
        paged = silences.had_page(connection, ids)
        outdated = self._outdated(connection)
        looked = []
        for alert in self.alerts:
            look = Look()
            if alert.id in firing and _is_heard_of(alert, self.now):
                if outdated and outdated & subjects_of(self.host, self.selected[alert.id], self.targets):
                    continue  # it waits for the next batch, which gathers facts again
                look = self._decide(alert, tries.get(alert.id, ()))
                told = alert.id in paged or any(not one.dry_run for one in tries.get(alert.id, ()))
                self._keep(connection, alert, look, latest.get(alert.id, {}), decided, told=told)
            looked.append(Looked(alert, look.due_at if alert.id in firing else None))
        decisions.insert(connection, self.host, decided.new, self.now)
        decisions.count_repeats(connection, decided.repeats, self.now)
        alerts.settle(connection, looked)
        return decided

    def _decide(self, alert: Waiting, tried: Sequence[Try]) -> Look:
        if alert.no_host is not None:
            return Look([Decision("no-host", alert.no_host)])
        return decide(self.selected[alert.id], self.targets, self._ask, tried, self.now, muted=alert.muted)

    def _outdated(self, connection: sa.Connection) -> set[Subject]:
        """Those whose run in flight has ended since the facts were gathered. An alert that it seems to hold back would
        wait for an end that is over.
        """
        waited_for = {
            subject: history.in_flight
            for subject, history in self.gathered.all(History).items()
            if history.in_flight is not None
        }
        if not waited_for:
            return set()
        unfinished = {run_id for found in holds.unfinished_runs(connection).values() for run_id in found}
        return {subject for subject, run_id in waited_for.items() if run_id not in unfinished}

    def _ask(self, selection: Selection) -> Asked:
        key = (selection.remedy.name, selection.target)
        if key not in self.asked:
            self.asked[key] = self._judged(selection)
        return self.asked[key]

    def _judged(self, selection: Selection) -> Asked:
        subject = subject_of(self.host, selection)
        judgement = self.gathered.judge(Case(subject, selection.remedy, self.now))
        history = self.gathered.about(History, subject)
        return Asked(judgement, history.past[0] if history is not None and history.past else None)

    def _keep(
        self,
        connection: sa.Connection,
        alert: Waiting,
        look: Look,
        latest: Mapping[str | None, Latest],
        decided: _Decided,
        *,
        told: bool,
    ) -> None:
        """Notes what the look led to, making the runs that it asks for. told: people have heard of the alert."""
        for each in look.decisions:
            decision, run_id = self._start(connection, alert, each)
            if run_id is not None and not told and self._holds_page(alert, decision):
                comment = (
                    f"Upkeeper run {run_id} ({_about(decision)}) works on this alert; people hear of it if that fails"
                )
                silences.want(connection, self.host, "page", exactly(alert.labels), comment, self.now, run_id=run_id)
                decided.holds_page = True
            before = latest.get(decision.selection.remedy.name if decision.selection else None)
            if run_id is None and before is not None and before.is_as(decision):
                decided.repeats.append(Repeat(before.id, decision.reason))
            else:
                decided.new.append(New(alert.id, decision, run_id))
        if alert.came and not look.decisions and latest:  # still broken, and nothing new to decide
            decided.repeats.append(Repeat(max(one.id for one in latest.values())))

    def _holds_page(self, alert: Waiting, decision: Decision) -> bool:
        selection = decision.selection
        wanted = decision.verdict == "run" and selection is not None and selection.remedy.page == "hold"
        return wanted and self.now - alert.first_received_at <= PAGED_WITHIN

    def _start(self, connection: sa.Connection, alert: Waiting, decision: Decision) -> tuple[Decision, int | None]:
        """What is decided in the end, with the run that was made for it, if it asks for one."""
        if decision.verdict not in ("run", "observe"):
            return decision, None
        selection = decision.selection
        assert selection is not None, "a decision to run is about a target"
        run_id, new = runs.create_unless_in_flight(connection, _request(self.host, alert, decision), self.now)
        self.gathered.add_run(subject_of(self.host, selection), run_id)
        self.asked.clear()
        # One that somebody else has started since the facts were gathered holds this one back.
        return (decision, run_id) if new else (blocked(selection, block_by(run_id)), None)


def _first_of(selections: Sequence[Selection]) -> tuple[str, str]:
    """Equal for alerts whose first remedy works on the same."""
    if not selections:
        return "", ""
    return selections[0].remedy.name, selections[0].target or ""


def _about(decision: Decision) -> str:
    selection = decision.selection
    return f"{selection.remedy.task} on {selection.target}" if selection is not None else ""


def _is_heard_of(alert: Waiting, now: float) -> bool:
    """Whether the alert still fires, as far as can be told: its end may have been lost on the way."""
    if alert.came:
        return not alert.overtaken
    return not alert.superseded and now - alert.heard_at <= HEARD_WITHIN


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
