"""The configured remedies: which of them match an alert, and what they select."""

from collections.abc import Callable, Mapping, Sequence

from remediator.config.matchers import matches_all, parse_matchers, whole_match
from remediator.config.remedies import Remedy
from remediator.model.decision import Selection
from remediator.model.hold import Limits


class Remedies:
    """The configured remedies in their order, with their matchers parsed once."""

    def __init__(self, remedies: Sequence[Remedy]) -> None:
        self.remedies = tuple(remedies)
        self._matchers = [
            tuple(matcher for text in remedy.match for matcher in parse_matchers(text)) for remedy in remedies
        ]
        self._selectors = [_selector(remedy) for remedy in remedies]

    def select(self, labels: Mapping[str, str]) -> Sequence[Selection]:
        """The remedies whose matchers all match, in order, each with the target that the labels select."""
        return [
            select(labels)
            for matchers, select in zip(self._matchers, self._selectors, strict=True)
            if matches_all(matchers, labels)
        ]

    def named(self, name: str | None) -> Remedy | None:
        return next((remedy for remedy in self.remedies if remedy.name == name), None)

    def limits(self, task: str) -> Limits:
        """The guards' settings of a run that no alert asked for: of the task's first remedy, else the defaults."""
        for remedy in self.remedies:
            if remedy.task == task:
                return limits_of(remedy)
        return limits_of(Remedy(name="default", match=['alertname="none"'], task=task, target="none"))


def _selector(remedy: Remedy) -> Callable[[Mapping[str, str]], Selection]:
    """How the labels of an alert select the remedy's target: by its exact name, or through the remedy's map."""
    ways = [(whole_match(pattern), target) for pattern, target in (remedy.targets or {}).items()]

    def select(labels: Mapping[str, str]) -> Selection:
        label = remedy.target_label
        if label is None:
            return Selection(remedy, remedy.target)
        value = labels.get(label)
        if value is None:
            return Selection(remedy, None, f"the alert has no label {label}")
        if remedy.targets is None:
            return Selection(remedy, value)
        target = next((target for matches, target in ways if matches(value)), None)
        return Selection(remedy, target, f"the alert's label {label} matches none of the remedy's `targets:`")

    return select


def limits_of(remedy: Remedy) -> Limits:
    return Limits(cooldown=remedy.cooldown, rate=remedy.rate, breaker=remedy.breaker)
