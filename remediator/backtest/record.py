"""The record of a replay, in memory: what the guards would have read in the database. Pure."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import islice, takewhile
from typing import Any

from remediator.backtest.history import GateHistory
from remediator.backtest.known import Known
from remediator.guards.approval import Approved
from remediator.guards.budget import Spending
from remediator.guards.concurrency import Rivals
from remediator.guards.gate import Answer, Answers
from remediator.guards.guard import Facts, Guard, Subject
from remediator.guards.history import History as RunHistory
from remediator.guards.judge import Gathered
from remediator.guards.paused import Pauses
from remediator.guards.storm import Alerting
from remediator.guards.window import MachineZone
from remediator.model.hold import DAY, PastRun
from remediator.store.holds import REMEMBERED_RUNS
from remediator.store.slots import Rival
from remediator.store.spending import Spent

Place = tuple[str, str, str]


@dataclass
class ReplayedRun:
    """A run that would have been. alert: the index of the episode that asked for it."""

    id: int
    alert: int
    remedy: str
    subject: Subject
    begins: float
    ends: float
    outcome: str
    bytes: int = 0
    items: int = 0
    """What its plan is taken to have been about."""

    @property
    def dry(self) -> bool:
        return self.subject.observing


@dataclass(frozen=True)
class World:
    """What the guards know that no run changes.

    disruptive: by the names of tasks. asking: the tasks of which a person must approve each plan. gates: what their
    queries returned. known_at: whether Prometheus knew anything at a time. known: what is known of pauses and the like.
    """

    host: str
    zone: tzinfo
    disruptive: Mapping[str, bool]
    asking: Collection[str] = ()
    gates: Mapping[str, GateHistory | str] = field(default_factory=dict)
    known_at: Callable[[float], bool] = lambda now: True
    known: Known = field(default_factory=Known)


class Record:
    """Runs and alerts, as far as the replay has come."""

    def __init__(self, world: World, guards: Sequence[Guard[Any]]) -> None:
        self._world = world
        self._of: Mapping[type[Facts], Callable[[Subject, float], Facts]] = {
            Pauses: lambda subject, now: Pauses(world.known.paused(subject.task, now)),
            Spending: self._spending,
            RunHistory: self._history,
            MachineZone: lambda subject, now: MachineZone(world.zone),
            Answers: self._answers,
            Rivals: self._rivals,
            Alerting: self._alerting,
            Approved: lambda subject, now: Approved(),
        }
        self._guards = [guard for guard in guards if guard.facts in self._of]
        self.not_replayed = [guard.name for guard in guards if guard.facts not in self._of]
        """Guards that judge by what nobody knows any more."""
        self._past: dict[Place, list[ReplayedRun]] = {}
        self._under_way: dict[int, ReplayedRun] = {}
        self.firing: dict[int, float] = {}
        """When the alerts that fire began, by their index, in the order in which they came."""

    def gathered(self, subjects: Collection[Subject], now: float) -> Gathered:
        """The facts as they were then."""
        kinds = dict.fromkeys(guard.facts for guard in self._guards)
        facts = {kind: {subject: self._of[kind](subject, now) for subject in subjects} for kind in kinds}
        return Gathered(facts, self._guards)

    def begin(self, run: ReplayedRun) -> None:
        self._under_way[run.id] = run

    def end(self, run: ReplayedRun) -> None:
        del self._under_way[run.id]
        self._past.setdefault(run.subject.place, []).append(run)

    def past(self, place: Place) -> Iterator[ReplayedRun]:
        """Newest first."""
        return reversed(self._past.get(place, []))

    def _history(self, subject: Subject, now: float) -> RunHistory:
        in_flight = next((run.id for run in self._under_way.values() if run.subject.place == subject.place), None)
        # The newest, and only as many as the guards would have read: of a month there are thousands.
        counted = (
            run for run in self.past(subject.place) if (subject.observing or not run.dry) and run.outcome != "blocked"
        )
        past = [
            PastRun(run.begins, run.ends, run.outcome in ("effective", "planned"))
            for run in islice(counted, REMEMBERED_RUNS)
        ]
        closed_at = self._world.known.closed_at((subject.task, subject.target), now)
        return RunHistory(in_flight, past, closed_at)

    def _spending(self, subject: Subject, now: float) -> Spending:
        """By the plans that the record knows: of runs without one nothing is counted, which the notes say."""
        budget = subject.settings.budget
        if budget.bytes_per_day is None and budget.items_per_day is None:
            return Spending(())
        spent = [
            Spent(run.ends if run.id not in self._under_way else None, run.bytes, run.items)
            for run in [*self._under_way.values(), *self._ended_of(subject.task, now - DAY)]
            if not run.dry and run.subject.task == subject.task and run.outcome != "blocked"
        ]
        return Spending(spent)

    def _ended_of(self, task: str, since: float) -> Sequence[ReplayedRun]:
        """The task's runs that have ended since then, on any target, newest first."""
        found = [
            run
            for place in self._past
            if place[1] == task
            for run in takewhile(lambda run: run.ends > since, self.past(place))
        ]
        return sorted(found, key=lambda run: run.ends, reverse=True)

    def _answers(self, subject: Subject, now: float) -> Answers:
        answers = {query: self._answer(query, now) for query in subject.settings.gate}
        return Answers(answers, now if self._world.known_at(now) else None)

    def _answer(self, query: str, now: float) -> Answer | str:
        known = self._world.gates.get(query, "its history was not read")
        if isinstance(known, str):
            return known
        index = known.before(now)
        if index is None:
            return Answer(now, 0, 0)
        return Answer(now, known.samples[index], known.numbers[index])

    def _rivals(self, subject: Subject, now: float) -> Rivals:
        disruptive = self._world.disruptive
        rivals = [
            Rival(run.id, run.subject.task, run.subject.target, acting=True)
            for run in self._under_way.values()
            if not run.dry and disruptive.get(run.subject.task, True)
        ]
        return Rivals(disruptive, rivals)

    def _alerting(self, subject: Subject, now: float) -> Alerting:
        if subject.settings.storm.alerts is None:
            return Alerting()
        began = [at for at in self.firing.values() if at > now - DAY]
        return Alerting(sorted(began, reverse=True)[: subject.settings.storm.alerts + 1])
