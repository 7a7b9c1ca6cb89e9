"""What `upkeeper check` says of remedies that are valid each by itself. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping, Set

from exporter.base.text import nearest
from exporter.base.units import format_duration
from exporter.configfile.file import Loaded
from exporter.configfile.problem import Problem
from exporter.configfile.source import KeyPath
from remediator.config.config import Config
from remediator.config.matchers import Matcher, parse_matchers, whole_match
from remediator.config.remedies import Remedy

HOST_LABELS = frozenset(
    {"instance", "exported_instance", "host", "hostname", "node", "nodename", "fqdn", "server", "machine"}
)
"""Labels by which rule packs tell one machine from another."""
OUR_ALERTS = "Upkeeper"
"""What the names of our own rules begin with. Their alerts are of the machine that this config is for."""
KEPT_FIRING: Mapping[str, float] = {
    "UpkeeperBackupNoRoom": 900.0,
    "UpkeeperClockOff": 600.0,
    "UpkeeperContainerMemoryNearLimit": 300.0,
    "UpkeeperFilesystemNotAnswering": 300.0,
    "UpkeeperHostOverloaded": 600.0,
    "UpkeeperHostTooHot": 300.0,
    "UpkeeperMemoryShort": 300.0,
    "UpkeeperPostgresArchiveFailing": 300.0,
    "UpkeeperPostgresConnectionsNearMax": 300.0,
    "UpkeeperPostgresSlotRetainsWal": 600.0,
    "UpkeeperPostgresStandbyDisconnected": 300.0,
    "UpkeeperUnitFailed": 600.0,
}
"""Alerts of ours that end so many seconds after what they tell is over: `keep_firing_for` of their rules."""
_STRANGER = "stranger.invalid"
"""A host that no config means: a matcher that takes it takes any."""


def remedy_problems(
    loaded: Loaded[Config], targets: Mapping[str, Collection[str]], found_later: Collection[str]
) -> Iterator[Problem]:
    """targets: those that each task has; found_later: tasks that may have more at another time."""
    for index, remedy in enumerate(loaded.value.remedies or ()):
        at = ("remedies", index)
        if remedy.task not in targets:
            message = f"there is no task {remedy.task!r}"
            yield loaded.problem((*at, "task"), message, choice(remedy.task, targets))
        else:
            later = remedy.task in found_later
            for key, target in _named_targets(remedy):
                if target not in targets[remedy.task]:
                    message = f"{remedy.task} has no target {target!r}" + (" at present" if later else "")
                    hint = choice(target, targets[remedy.task])
                    yield loaded.problem((*at, *key), message, hint, "warning" if later else "error")
        if _takes_any_host(remedy):
            message = "also matches alerts of other hosts, and would then act on this one"
            hint = """name this one, as in 'instance=~"myhost(:.*)?"'"""
            yield loaded.problem((*at, "match"), message, hint, "warning")
        kept = {alert: KEPT_FIRING[alert] for alert in _alerts_named(remedy) & KEPT_FIRING.keys()}
        if kept and remedy.settle <= max(kept.values()):
            alert = max(kept, key=lambda name: (kept[name], name))
            message = (
                f"{alert} ends {format_duration(kept[alert])} after what it tells is over, and settle: is "
                f"{format_duration(remedy.settle)}: a run that helped would count as one that did not"
            )
            hint = f"give it time for that, as in settle: {format_duration(kept[alert] + 60)}"
            yield loaded.problem((*at, "match"), message, hint, "warning")
    yield from _twice(loaded)


def _alerts_named(remedy: Remedy) -> Set[str]:
    """The alerts that a remedy is for, as far as their names stand there in full."""
    matchers = [matcher for matcher in _matchers(remedy) if matcher.name == "alertname" and matcher.op in ("=", "=~")]
    return {name for matcher in matchers for name in re.split(r"[|()]", matcher.value)}


def _named_targets(remedy: Remedy) -> Iterator[tuple[KeyPath, str]]:
    """The targets that a remedy names itself, each with its key."""
    if remedy.target is not None:
        yield ("target",), remedy.target
    for pattern, target in (remedy.targets or {}).items():
        yield ("targets", pattern), target


def choice(word: str, known: Collection[str]) -> str:
    return nearest(word, known) or (f"there are: {', '.join(sorted(known))}" if known else "none exist")


def _twice(loaded: Loaded[Config]) -> Iterator[Problem]:
    """Remedies that add nothing: an earlier one does the same about every alert that they match."""
    earlier: list[tuple[str, frozenset[str], object]] = []
    for index, remedy in enumerate(loaded.value.remedies or ()):
        matchers = frozenset(map(str, _matchers(remedy)))
        does = (remedy.task, remedy.target, remedy.target_label, remedy.targets)
        first = next((name for name, fewer, same in earlier if fewer <= matchers and same == does), None)
        if first is not None:
            message = f"is redundant: {first!r} above it does the same for every alert that this one matches"
            yield loaded.problem(("remedies", index, "match"), message, "keep one of them", "warning")
        earlier.append((remedy.name, matchers, does))


def _matchers(remedy: Remedy) -> tuple[Matcher, ...]:
    return tuple(matcher for text in remedy.match for matcher in parse_matchers(text))


def _takes_any_host(remedy: Remedy) -> bool:
    """Whether alerts of any machine match: of rules that are not ours, with no label that names this one."""
    matchers = _matchers(remedy)
    if any(matcher.name == "alertname" and matcher.begins_with(OUR_ALERTS) for matcher in matchers):
        return False
    if remedy.target_label in HOST_LABELS:
        return any(whole_match(pattern)(host) for pattern in remedy.targets or () for host in _strangers(pattern))
    return not any(
        matcher.name in HOST_LABELS
        and not any(matcher.matches({matcher.name: host}) for host in _strangers(matcher.value))
        for matcher in matchers
    )


def _strangers(pattern: str) -> Iterator[str]:
    """Another host as the label may show it: alone, or with a port that the pattern may be after."""
    yield _STRANGER
    for port in {"9100", *re.findall("[0-9]{2,5}", pattern)}:
        yield f"{_STRANGER}:{port}"
