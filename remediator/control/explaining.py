"""Explains what is decided about an alert, and why: nothing is run for that, and nothing recorded."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from exporter.base.errors import UpkeeperError
from exporter.base.text import format_time_ms
from remediator.config.remedies import Remedy
from remediator.decide.decide import Asked, by_container, decide, no_target
from remediator.decide.matching import conditions, way_to_target
from remediator.decide.means import Means
from remediator.decide.subjects import Targets, subject_of, subjects_of, targets_of
from remediator.guards.guard import Case
from remediator.guards.history import History
from remediator.guards.judge import Gathered
from remediator.model.decision import Decision, Look, Selection, Try
from remediator.model.errors import not_found, unprocessable
from remediator.model.hold import DAY
from remediator.model.shapes.explain import (
    ExplainedPlan,
    ExplainedRemedy,
    ExplainView,
    GuardVerdictView,
    PlannedDecisionView,
)
from remediator.model.task import LOOK_TIMEOUT, Measurement, Plan, Task
from remediator.store import alerts, runs

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Alert:
    """What is explained. id: None for labels that were given by hand."""

    id: int | None
    labels: Mapping[str, str]
    firing: bool = True
    muted: str | None = None
    tried: Sequence[Try] = ()


class Explaining:
    """Explains decisions, by the same pure functions and guards that make them."""

    def __init__(
        self,
        means: Means,
    ) -> None:
        self._database = means.database
        self._judge = means.judge
        self._tasks = means.tasks
        self._remedies = means.remedies
        self._clock = means.clock

    async def explain(
        self, alert_id: int | None = None, labels: Mapping[str, str] | None = None, plan: bool = True
    ) -> ExplainView:
        """What would be decided now about an alert that came, or about one with these labels."""
        now = self._clock()
        alert = await self._alert(alert_id, labels, now)
        remedies = self._remedies()
        selections = remedies.select(alert.labels)
        targets = await targets_of(self._tasks(), {each.remedy.task for each in selections})
        gathered = await self._judge.gather(subjects_of(self._database.host, selections, targets), now)
        scene = _Scene(self._database.host, alert, self._tasks(), targets, gathered, now)
        look = decide(selections, targets, scene.ask, alert.tried, now, alert.muted)
        planned = await self._planned(scene, look, selections) if plan else None
        return {
            "alert_id": alert.id,
            "firing": alert.firing,
            "labels": dict(alert.labels),
            "remedies": [scene.explained(remedy, selections, planned) for remedy in remedies.remedies],
            "decisions": [_decision(each) for each in look.decisions],
            "due_at": None if look.due_at is None else format_time_ms(look.due_at),
            "waits_for": _waits_for(look, alert.tried),
            "plan": None if planned is None else planned.view(),
        }

    async def _alert(self, alert_id: int | None, labels: Mapping[str, str] | None, now: float) -> _Alert:
        if (alert_id is None) is (not labels):
            raise unprocessable("give the id of an alert, or labels, and not both")
        if alert_id is None:
            assert labels is not None
            return _Alert(None, labels)
        found = await self._database.read(partial(alerts.one, id=alert_id))
        if found is None:
            raise not_found(f"there is no alert {alert_id}; see: upkeeper alerts")
        tried = await self._database.read(partial(runs.tries, alert_ids=[alert_id], since=now - DAY))
        return _Alert(alert_id, found.labels, found.firing, found.muted, tried.get(alert_id, ()))

    async def _planned(self, scene: "_Scene", look: Look, selections: Sequence[Selection]) -> "_Planned | None":
        """The plan of the first remedy that has a target: of those that have their turn, else of those that match."""
        turns = [each.selection for each in look.decisions if each.selection is not None]
        for selection in (*turns, *selections):
            chosen = scene.chosen(selection)
            if chosen is None:
                continue
            assert chosen.target is not None
            try:
                async with asyncio.timeout(LOOK_TIMEOUT):
                    task = self._tasks()[chosen.remedy.task]
                    return _Planned(chosen, await task.measure(chosen.target), await task.plan(chosen.target))
            except UpkeeperError as error:
                return _Planned(chosen, error=str(error))
            except TimeoutError:
                return _Planned(chosen, error="planning took too long and was given up")
            except Exception as error:  # a bug of the task: what else there is to say is said
                log.exception("task failed unexpectedly", task=chosen.remedy.task, target=chosen.target)
                return _Planned(chosen, error=f"planning failed unexpectedly: {type(error).__name__}")
        return None


@dataclass(frozen=True)
class _Planned:
    """What a remedy's run would do, or why that cannot be told."""

    selection: Selection
    measurement: Measurement | None = None
    plan: Plan | None = None
    error: str | None = None

    def view(self) -> ExplainedPlan:
        return {
            "remedy": self.selection.remedy.name,
            "task": self.selection.remedy.task,
            "target": self.selection.target or "",
            "error": self.error,
            "measurement": None if self.measurement is None else self.measurement.model_dump(mode="json"),  # type: ignore[typeddict-item]
            "plan": None if self.plan is None else self.plan.model_dump(mode="json"),  # type: ignore[typeddict-item]
        }


@dataclass(frozen=True)
class _Scene:
    """All that is known of an alert and its remedies."""

    host: str
    alert: _Alert
    tasks: Mapping[str, Task]
    targets: Targets
    gathered: Gathered
    now: float

    def ask(self, selection: Selection) -> Asked:
        """What the guards say, as the decider asks it."""
        subject = subject_of(self.host, selection)
        history = self.gathered.about(History, subject)
        judgement = self.gathered.judge(Case(subject, selection.remedy, self.now))
        return Asked(judgement, history.past[0] if history is not None and history.past else None)

    def chosen(self, selection: Selection) -> Selection | None:
        """The selection, with the target by its whole name; None where there is no such target."""
        known = self.targets.get(selection.remedy.task)
        if known is None or isinstance(known, UpkeeperError):
            return None
        selection = by_container(selection, known)
        return selection if no_target(selection, known) is None else None

    def explained(self, remedy: Remedy, selections: Sequence[Selection], planned: _Planned | None) -> ExplainedRemedy:
        selection = next((each for each in selections if each.remedy is remedy), None)
        chosen = None if selection is None else self.chosen(selection)
        return {
            "name": remedy.name,
            "matches": selection is not None,
            "matchers": [
                {"matcher": each.matcher, "matches": each.holds, "value": each.value}
                for each in conditions(remedy, self.alert.labels)
            ],
            "task": remedy.task,
            "autonomy": remedy.autonomy,
            "target": None if chosen is None else chosen.target,
            "target_by": None if selection is None else way_to_target(remedy, self.alert.labels),
            "no_target": None if selection is None or chosen is not None else self._why_none(selection),
            "guards": [] if chosen is None else self._verdicts(chosen, planned),
            "tried": [one.run_id for one in self.alert.tried if one.remedy == remedy.name],
        }

    def _why_none(self, selection: Selection) -> str:
        known = self.targets.get(selection.remedy.task)
        if isinstance(known, UpkeeperError):
            return f"the targets cannot be told now: {known}"
        return no_target(by_container(selection, known or ()), known) or ""

    def _verdicts(self, chosen: Selection, planned: _Planned | None) -> list[GuardVerdictView]:
        remedy = chosen.remedy
        case = Case(
            subject_of(self.host, chosen),
            remedy,
            self.now,
            autonomy=remedy.autonomy,
            always_approve=self.tasks[remedy.task].facts.always_approve,
        )
        if planned is not None and planned.selection == chosen and remedy.autonomy != "observe":
            case = replace(case, plan=planned.plan)
        return [
            {
                "guard": name,
                "blocks": block is not None,
                "reason": said,
                "until": None if block is None or block.until is None else format_time_ms(block.until),
            }
            for name, block, said in self.gathered.explain(case)
        ]


def _decision(decision: Decision) -> PlannedDecisionView:
    selection = decision.selection
    return {
        "remedy": None if selection is None else selection.remedy.name,
        "target": None if selection is None else selection.target,
        "verdict": decision.verdict,
        "guard": decision.guard,
        "reason": decision.reason,
    }


def _waits_for(look: Look, tried: Sequence[Try]) -> str | None:
    """Why nothing is decided now, where that is so."""
    if look.decisions:
        return None
    under_way = next((one.run_id for one in tried if one.outcome is None), None)
    if under_way is not None:
        return f"run {under_way} for this alert is under way"
    return "its remedies were tried, and it is not yet time for the next turn"
