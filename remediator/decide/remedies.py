"""The configured remedies: which of them match an alert, and what they select."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from remediator.config.autonomy import Autonomy
from remediator.config.guards import GuardSettings
from remediator.config.matchers import Matcher, matches_all, parse_matchers, whole_match
from remediator.config.remedies import Remedy
from remediator.config.schedule import Job
from remediator.model.caller import Caller
from remediator.model.decision import Selection
from remediator.model.level import Level
from remediator.model.task import CONTAINER_LABELS, CONTAINER_TARGET

DEFAULTS = GuardSettings()
_ALERTNAME = "alertname"


class Remedies:
    """The configured remedies in their order, with their matchers parsed once.

    defaults: the guards' settings of what no remedy asks for. jobs: the schedule's, by name.
    """

    def __init__(
        self,
        remedies: Sequence[Remedy],
        defaults: GuardSettings = DEFAULTS,
        jobs: Mapping[str, Job] = MappingProxyType({}),
    ) -> None:
        self.remedies = tuple(remedies)
        self.defaults = defaults
        self._jobs = jobs
        self._matchers = [
            tuple(matcher for text in remedy.match for matcher in parse_matchers(text)) for remedy in remedies
        ]
        self._selectors = [_selector(remedy) for remedy in remedies]
        self._of_any, self._of = _by_alertname(self._matchers)

    def select(self, labels: Mapping[str, str]) -> Sequence[Selection]:
        """The remedies whose matchers all match, in order, each with the target that the labels select."""
        return [
            self._selectors[index](labels)
            for index in self._of.get(labels.get(_ALERTNAME, ""), self._of_any)
            if matches_all(self._matchers[index], labels)
        ]

    def named(self, name: str | None) -> Remedy | None:
        return next((remedy for remedy in self.remedies if remedy.name == name), None)

    def about(self, task: str, target: str) -> Sequence[Remedy]:
        """The remedies that may run this task on this target, in order."""
        return [remedy for remedy in self.remedies if remedy.task == task and _may_select(remedy, target)]

    def at(self, levels: Mapping[str, Level]) -> "Remedies":
        """The same with the level that each remedy has by now, where the config still says what it said then."""
        changed = [
            remedy.model_copy(update={"autonomy": level.level})
            if (level := levels.get(remedy.name)) and level.level and level.configured == remedy.autonomy
            else remedy
            for remedy in self.remedies
        ]
        return self if changed == list(self.remedies) else Remedies(changed, self.defaults, self._jobs)

    def autonomy(self, caller: Caller) -> Autonomy:
        """What may be done for a caller without a person. Who asks for something himself is one; a remedy or a job that
        is no longer there may do nothing by itself.
        """
        if caller.trigger not in ("alert", "schedule"):
            return "auto"
        own = self._asking(caller)
        return "approve" if own is None else own.autonomy or "auto"

    def guarding(self, caller: Caller, task: str, target: str) -> GuardSettings:
        """The guards' settings of a run: those of the remedy or job that asked for it, if it still exists."""
        return self._asking(caller) or self.settings(task, target)

    def _asking(self, caller: Caller) -> Remedy | Job | None:
        return self._jobs.get(caller.name) if caller.trigger == "schedule" else self.named(caller.remedy)

    def settings(self, task: str, target: str) -> GuardSettings:
        """The guards' settings of a run that no alert asked for: the first remedy's that may run it, or defaults."""
        return next(iter(self.about(task, target)), self.defaults)


def _by_alertname(matchers: Sequence[Sequence[Matcher]]) -> tuple[Sequence[int], Mapping[str, Sequence[int]]]:
    """Which remedies may match an alert of any name, and of each name that one of them demands: their places, in order.

    In a storm, alerts are then asked of few of them.
    """
    names = [
        next((one.value for one in each if one.name == _ALERTNAME and one.op == "=" and one.value), None)
        for each in matchers
    ]
    of = {
        name: [index for index, other in enumerate(names) if other in (None, name)]
        for name in names
        if name is not None
    }
    return [index for index, name in enumerate(names) if name is None], of


def _may_select(remedy: Remedy, target: str) -> bool:
    if remedy.target_label is None:
        return target == remedy.target
    if remedy.targets is None:
        return True
    chosen = set(remedy.targets.values())
    if remedy.target_label in CONTAINER_LABELS:
        chosen |= {CONTAINER_TARGET + name for name in chosen}
    return target in chosen


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
