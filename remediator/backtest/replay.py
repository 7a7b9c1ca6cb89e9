"""Replays episodes through the functions that decide about alerts, with a clock and a record of its own. Pure."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from remediator.backtest.episodes import Episode
from remediator.backtest.known import Planned
from remediator.backtest.record import Record, ReplayedRun, World
from remediator.config.autonomy import Autonomy
from remediator.decide.decide import SILENCED, Asked, blocked, decide
from remediator.decide.remedies import Remedies
from remediator.decide.subjects import Targets, subject_of, subjects_of
from remediator.decide.trust import demotion
from remediator.guards.budget import BUDGET
from remediator.guards.guard import Case, Guard
from remediator.guards.history import History as RunHistory
from remediator.guards.judge import Gathered
from remediator.guards.registry import GUARDS
from remediator.model.decision import Decision, Selection, Try
from remediator.model.hold import DAY, Block
from remediator.model.level import Level, Track
from remediator.model.task import Action, Plan

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
    demoted: Sequence[tuple[float, str, Autonomy]] = ()
    """When a remedy would have lost some of its autonomy, and what it might do from then on."""


# What happens at the same moment happens in this order, as the decider has it: what came, then what is due; and what
# runs then ends after that. A change is of what holds everything back, such as the end of a pause.
_END, _CHANGE, _BEGIN, _REPEAT, _LOOK, _RUN_END = range(6)


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
        self._lowered: dict[str, Autonomy] = {}
        self._failures: Counter[str] = Counter()
        self.demoted: list[tuple[float, str, Autonomy]] = []
        self._runs: list[ReplayedRun] = []

    def replay(self) -> Replayed:
        for index, alert in enumerate(self._alerts):
            self._plan(alert.episode.begins, _BEGIN, index)
        for at in self._changes():
            self._plan(at, _CHANGE, 0)
        while self._agenda:
            at, kind, subject = heapq.heappop(self._agenda)
            if at > self._until:
                break
            if kind == _BEGIN:
                self._begins(subject, at)
            elif kind == _CHANGE:
                for index in list(self._record.firing):
                    self._due(index, at)
            elif kind == _REPEAT:
                self._repeats(subject, at)
            elif kind == _END:
                self._record.firing.pop(subject, None)
            elif kind == _RUN_END:
                self._run_ends(self._runs[subject], at)
            elif self._alerts[subject].due_at == at and subject in self._record.firing:
                self._look(subject, at)
        return Replayed(self._decisions, self._runs, self._record.not_replayed, self.demoted)

    def _changes(self) -> set[float]:
        """When everything that fires is looked at anew, as the live program does."""
        known = self._world.known
        found = {at for pause in known.pauses for at in (pause.since, pause.until) if at is not None}
        found |= {at for times in known.closed.values() for at in times}
        found |= {at for changes in known.levels.values() for at, _ in changes}
        begin = min((alert.episode.begins for alert in self._alerts), default=self._until)
        return {at for at in found if begin < at <= self._until}

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
        self._weigh(run, now)
        if run.outcome == "effective":
            self._record.firing.pop(run.alert, None)  # the assumption: it has ended the alert
        place = (run.subject.task, run.subject.target)
        for index in list(self._record.firing):
            alert = self._alerts[index]
            if index == run.alert or place in alert.blocked_on or "concurrency" in alert.blocked_on:
                self._due(index, now)

    def _weigh(self, run: ReplayedRun, now: float) -> None:
        """A remedy whose runs are taken to have failed may do less from then on, as the live program has it."""
        if run.dry or run.outcome == "blocked":
            return
        failures = self._failures[run.remedy] = 0 if run.outcome == "effective" else self._failures[run.remedy] + 1
        remedy = self._standing(now).named(run.remedy)
        change = None if remedy is None else demotion(remedy, Track(failures=failures))
        if change is not None:
            self._lowered[run.remedy], self._failures[run.remedy] = change[0], 0
            self.demoted.append((now, run.remedy, change[0]))

    def _due(self, index: int, at: float | None) -> None:
        self._alerts[index].due_at = at
        if at is not None:
            self._plan(at, _LOOK, index)

    def _look(self, index: int, now: float) -> None:
        alert = self._alerts[index]
        labels = alert.episode.labels
        remedies = self._standing(now)
        selections = remedies.select(labels)
        mute = self._world.known.mute(labels, now)
        gathered = self._record.gathered(subjects_of(self._world.host, selections, self._targets), now)

        def ask(selection: Selection) -> Asked:
            return self._asked(gathered, selection, now)

        muted = None if mute is None else mute.why
        look = decide(selections, self._targets, ask, list(self._tries(alert, now)), now, muted=muted)
        for decision in look.decisions:
            self._keep(index, decision, now, gathered)
        waits = mute is not None and any(decision.guard == SILENCED for decision in look.decisions)
        self._due(index, mute.ends if mute is not None and waits else look.due_at)

    def _standing(self, now: float) -> Remedies:
        """The remedies with what each might do then: by the record, or by the runs that are taken to have failed."""
        levels = {
            remedy.name: Level(remedy.name, remedy.autonomy, level, "", now)
            for remedy in self._remedies.remedies
            if (level := self._lowered.get(remedy.name) or self._world.known.level(remedy.name, now)) is not None
        }
        return self._remedies.at(levels) if levels else self._remedies

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

    def _keep(self, index: int, decision: Decision, now: float, gathered: Gathered) -> None:
        alert, selection = self._alerts[index], decision.selection
        remedy = None if selection is None else selection.remedy.name
        run_id = None
        if decision.verdict in ("run", "observe") and selection is not None and not self._waits(decision, selection):
            over = self._over_budget(selection, now, gathered)
            if over is not None:
                decision = blocked(selection, over)
            run_id = self._start(index, selection, now, over_budget=over is not None)
        if decision.verdict == "blocked" and selection is not None:
            alert.blocked_on |= {(selection.remedy.task, selection.target or ""), decision.guard or ""}
        said = (decision.verdict, decision.guard)
        if run_id is not None or alert.latest.get(remedy) != said:
            self._decisions.append(Made(now, index, decision, run_id))
        alert.latest[remedy] = said

    def _planned(self, selection: Selection, now: float) -> Planned | None:
        return self._world.known.plan((selection.remedy.task, selection.target or ""), now)

    def _over_budget(self, selection: Selection, now: float, gathered: Gathered) -> Block | None:
        """The guard's word once there is a plan, which is taken to have been as that of the record's last run."""
        planned = self._planned(selection, now)
        if planned is None or selection.remedy.autonomy == "observe":
            return None
        action = Action(kind="planned", object="", reason="", estimated_bytes=planned.bytes, items=planned.items)
        case = Case(subject_of(self._world.host, selection), selection.remedy, now, Plan(actions=[action]))
        return gathered.judge(case).by(BUDGET.name)

    def _start(self, index: int, selection: Selection, now: float, *, over_budget: bool) -> int:
        subject = subject_of(self._world.host, selection)
        outcome = "planned" if subject.observing else "blocked" if over_budget else self._assume
        planned = self._planned(selection, now) or Planned(now, 0, 0)
        run = ReplayedRun(
            len(self._runs) + 1,
            index,
            selection.remedy.name,
            subject,
            now,
            now + self._took,
            outcome,
            planned.bytes,
            planned.items,
        )
        self._runs.append(run)
        self._alerts[index].tries.append(run)
        self._record.begin(run)
        self._plan(run.ends, _RUN_END, run.id - 1)
        return run.id

    def _waits(self, decision: Decision, selection: Selection) -> bool:
        """Whether a person is asked first: nothing is done until then, and nobody knows what he would have said."""
        remedy = selection.remedy
        return decision.verdict == "run" and (remedy.autonomy == "approve" or remedy.task in self._world.asking)
