"""Replays episodes through the functions that decide about alerts, with a clock and a record of its own. Pure."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from remediator.backtest.episodes import Episode
from remediator.backtest.record import Record, ReplayedRun, World
from remediator.decide.decide import Asked, decide
from remediator.decide.remedies import Remedies
from remediator.decide.subjects import Targets, subject_of, subjects_of
from remediator.guards.guard import Case, Guard
from remediator.guards.history import History as RunHistory
from remediator.guards.judge import Gathered
from remediator.guards.registry import GUARDS
from remediator.model.decision import Decision, Selection, Try
from remediator.model.hold import DAY

Assume = Literal["effective", "ineffective"]
"""What is assumed of every run, as nobody can know: that it ends the alert, or that it changes nothing."""

RUN_SECONDS = 30.0
"""Seconds that a run is assumed to take."""


@dataclass(frozen=True)
class Made:
    """A decision of a remedy about an episode that says something new. run_id: the run that followed."""

    at: float
    alert: int
    decision: Decision
    run_id: int | None = None

    @property
    def remedy(self) -> str | None:
        return None if self.decision.selection is None else self.decision.selection.remedy.name


@dataclass(frozen=True)
class Replayed:
    """What would have been decided, and run: oldest first. not_replayed: guards that were not asked."""

    decisions: Sequence[Made]
    runs: Sequence[ReplayedRun]
    not_replayed: Sequence[str]


# What happens at the same moment happens in this order, as the decider has it: what came, then what is due; and what
# runs then ends after that.
_END, _BEGIN, _REPEAT, _LOOK, _RUN_END = range(5)


@dataclass
class _Alert:
    episode: Episode
    tries: list[ReplayedRun] = field(default_factory=list)
    latest: dict[str | None, tuple[Any, ...]] = field(default_factory=dict)
    due_at: float | None = None
    blocked_on: set[tuple[str, str] | str] = field(default_factory=set)


class Replay:
    """One replay. took: seconds that a run takes. repeat: seconds after which Alertmanager tells of an alert again,
    which is then looked at; None where nothing would come of that.
    """

    def __init__(
        self,
        episodes: Sequence[Episode],
        remedies: Remedies,
        targets: Targets,
        world: World,
        *,
        assume: Assume,
        until: float,
        took: float = RUN_SECONDS,
        repeat: float | None = None,
        guards: Sequence[Guard[Any]] = GUARDS,
    ) -> None:
        self._alerts = [_Alert(episode) for episode in episodes]
        self._remedies = remedies
        self._targets = targets
        self._world = world
        self._assume = assume
        self._until = until
        self._took = took
        self._repeat = repeat
        self._record = Record(world, guards)
        self._agenda: list[tuple[float, int, int]] = []
        self._decisions: list[Made] = []
        self._runs: list[ReplayedRun] = []

    def replay(self) -> Replayed:
        for index, alert in enumerate(self._alerts):
            self._plan(alert.episode.begins, _BEGIN, index)
        while self._agenda:
            at, kind, subject = heapq.heappop(self._agenda)
            if at > self._until:
                break
            if kind == _BEGIN:
                self._begins(subject, at)
            elif kind == _REPEAT:
                self._repeats(subject, at)
            elif kind == _END:
                self._record.firing.pop(subject, None)
            elif kind == _RUN_END:
                self._run_ends(self._runs[subject], at)
            elif self._alerts[subject].due_at == at and subject in self._record.firing:
                self._look(subject, at)
        return Replayed(self._decisions, self._runs, self._record.not_replayed)

    def _plan(self, at: float, kind: int, subject: int) -> None:
        heapq.heappush(self._agenda, (at, kind, subject))

    def _begins(self, index: int, now: float) -> None:
        ends = self._alerts[index].episode.ends
        if ends is not None:
            self._plan(ends, _END, index)
        self._record.firing[index] = now
        self._repeats(index, now)

    def _repeats(self, index: int, now: float) -> None:
        """Alertmanager tells of the alert, now and again."""
        if index in self._record.firing:
            self._look(index, now)
            if self._repeat is not None:
                self._plan(now + self._repeat, _REPEAT, index)

    def _run_ends(self, run: ReplayedRun, now: float) -> None:
        self._record.end(run)
        if run.outcome == "effective":
            self._record.firing.pop(run.alert, None)  # the assumption: it has ended the alert
        place = (run.subject.task, run.subject.target)
        for index in list(self._record.firing):
            alert = self._alerts[index]
            if index == run.alert or place in alert.blocked_on or "concurrency" in alert.blocked_on:
                self._due(index, now)

    def _due(self, index: int, at: float | None) -> None:
        self._alerts[index].due_at = at
        if at is not None:
            self._plan(at, _LOOK, index)

    def _look(self, index: int, now: float) -> None:
        alert = self._alerts[index]
        labels = alert.episode.labels
        selections = self._remedies.select(labels)
        gathered = self._record.gathered(subjects_of(self._world.host, selections, self._targets), now)

        def ask(selection: Selection) -> Asked:
            return self._asked(gathered, selection, now)

        look = decide(labels, self._remedies, self._targets, ask, list(self._tries(alert, now)), now)
        for decision in look.decisions:
            self._keep(index, decision, now)
        self._due(index, look.due_at)

    def _asked(self, gathered: Gathered, selection: Selection, now: float) -> Asked:
        subject = subject_of(self._world.host, selection)
        past = gathered.about(RunHistory, subject)
        judgement = gathered.judge(Case(subject, selection.remedy, now))
        return Asked(judgement, past.past[0] if past is not None and past.past else None)

    def _tries(self, alert: _Alert, now: float) -> Iterator[Try]:
        """The runs for the episode of the last day, newest first."""
        for run in reversed(alert.tries):
            if now < run.ends:
                yield Try(run.id, run.remedy, run.dry, None, None)
            elif run.ends > now - DAY:
                yield Try(run.id, run.remedy, run.dry, run.outcome, run.ends)

    def _keep(self, index: int, decision: Decision, now: float) -> None:
        alert, selection = self._alerts[index], decision.selection
        remedy = None if selection is None else selection.remedy.name
        run_id = None
        if decision.verdict in ("run", "observe") and selection is not None and not self._waits(decision, selection):
            run_id = self._start(index, selection, now)
        if decision.verdict == "blocked" and selection is not None:
            alert.blocked_on |= {(selection.remedy.task, selection.target or ""), decision.guard or ""}
        said = (decision.verdict, decision.guard)
        if run_id is not None or alert.latest.get(remedy) != said:
            self._decisions.append(Made(now, index, decision, run_id))
        alert.latest[remedy] = said

    def _start(self, index: int, selection: Selection, now: float) -> int:
        subject = subject_of(self._world.host, selection)
        outcome = "planned" if subject.observing else self._assume
        run = ReplayedRun(len(self._runs) + 1, index, selection.remedy.name, subject, now, now + self._took, outcome)
        self._runs.append(run)
        self._alerts[index].tries.append(run)
        self._record.begin(run)
        self._plan(run.ends, _RUN_END, run.id - 1)
        return run.id

    def _waits(self, decision: Decision, selection: Selection) -> bool:
        """Whether a person is asked first: nothing is done until then, and nobody knows what he would have said."""
        remedy = selection.remedy
        return decision.verdict == "run" and (remedy.autonomy == "approve" or remedy.task in self._world.asking)
