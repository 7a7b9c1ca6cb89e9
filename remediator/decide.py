"""Alert + remedies + guards -> decision. Pure: no I/O, and the time is among the facts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from remediator.config import Remedy
from remediator.guards import Block, Facts, Limits, evaluate
from remediator.matchers import matches_all, parse_matchers
from remediator.tasks import CONTAINER_LABELS, CONTAINER_TARGET

Verdict = Literal["run", "observe", "blocked", "no-target", "unmatched"]


@dataclass(frozen=True)
class Selection:
    """The remedy of an alert and the target that it selects; the target may not exist."""

    remedy: Remedy
    target: str


@dataclass(frozen=True)
class Decision:
    """What is done about one alert, and why."""

    verdict: Verdict
    reason: str
    selection: Selection | None = None
    guard: str | None = None


class Remedies:
    """The configured remedies in their order, with their matchers parsed once."""

    def __init__(self, remedies: Sequence[Remedy]) -> None:
        self.remedies = tuple(remedies)
        self._matchers = [
            tuple(matcher for text in remedy.match for matcher in parse_matchers(text)) for remedy in remedies
        ]

    def select(self, labels: Mapping[str, str]) -> Selection | None:
        """The first remedy whose matchers all match, and the target it names; None when none matches."""
        for remedy, matchers in zip(self.remedies, self._matchers, strict=True):
            if matches_all(matchers, labels):
                target = remedy.target if remedy.target is not None else labels.get(remedy.target_label or "", "")
                return Selection(remedy, target)
        return None

    def limits(self, task: str) -> Limits:
        """The guards' settings of a run that no alert asked for: of the task's first remedy, else the defaults."""
        for remedy in self.remedies:
            if remedy.task == task:
                return limits_of(remedy)
        return limits_of(Remedy(name="default", match=['alertname="none"'], task=task, target="none"))


def limits_of(remedy: Remedy) -> Limits:
    return Limits(cooldown=remedy.cooldown, rate=remedy.rate, breaker=remedy.breaker)


def decide(
    labels: Mapping[str, str],
    remedies: Remedies,
    targets: Mapping[str, Collection[str]],
    facts: Callable[[str, str], Facts],
) -> Decision:
    """What to do about a firing alert that no run has been made for yet.

    targets: the names that each task can work on. A label selects one of them by its exact name, or nothing.
    facts: what the guards judge by, for a task and target.
    """
    selection = remedies.select(labels)
    if selection is None:
        return Decision("unmatched", "no remedy matches")
    remedy = selection.remedy
    if remedy.task not in targets:
        return Decision("no-target", f"task {remedy.task} is not available here", selection)
    selection = by_container(selection, targets[remedy.task])
    if selection.target not in targets[remedy.task]:
        where = f"label {remedy.target_label}" if remedy.target_label else "the remedy"
        return Decision("no-target", f"{where} names no configured target of {remedy.task}", selection)
    blocks = evaluate(facts(remedy.task, selection.target), limits_of(remedy))
    if blocks:
        return _blocked(blocks[0], selection)
    if remedy.autonomy == "observe":
        return Decision(
            "observe", f"remedy {remedy.name} only observes: the plan is recorded, nothing is done", selection
        )
    return Decision("run", f"remedy {remedy.name} matches", selection)


def by_container(selection: Selection, known: Collection[str]) -> Selection:
    """A label that names a container means that container, also where a service has the same name."""
    qualified = f"{CONTAINER_TARGET}{selection.target}"
    if selection.remedy.target_label in CONTAINER_LABELS and qualified in known:
        return replace(selection, target=qualified)
    return selection


def _blocked(block: Block, selection: Selection) -> Decision:
    return Decision("blocked", block.reason, selection, guard=block.guard)
