"""Why a remedy matches an alert or not, and how it comes to its target, in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remediator.config.matchers import parse_matchers, whole_match
from remediator.config.remedies import Remedy


@dataclass(frozen=True)
class Condition:
    """A matcher against an alert's labels. value: that of its label; None where the alert has no such label."""

    matcher: str
    holds: bool
    value: str | None


def conditions(remedy: Remedy, labels: Mapping[str, str]) -> Sequence[Condition]:
    """Each matcher of a remedy, in their order. A remedy matches where all of them hold."""
    return [
        Condition(str(matcher), matcher.matches(labels), labels.get(matcher.name))
        for text in remedy.match
        for matcher in parse_matchers(text)
    ]


def way_to_target(remedy: Remedy, labels: Mapping[str, str]) -> str:
    """How the labels select the remedy's target."""
    label = remedy.target_label
    if label is None:
        return "`target:` of the remedy"
    value = labels.get(label)
    if value is None or remedy.targets is None:
        return f"label {label}"
    chosen = next((pattern for pattern in remedy.targets if whole_match(pattern)(value)), None)
    return f"label {label}, by {chosen!r} of `targets:`" if chosen is not None else f"label {label} and `targets:`"
