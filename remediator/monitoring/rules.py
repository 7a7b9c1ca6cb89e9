"""The rules that ship beside those that a Prometheus has loaded: what is missing or of another version.

Pure, but for reading what ships.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter.base.units import parse_duration
from remediator.monitoring.fastyaml import parse

PREFIX = "upkeeper-"
"""Of the names of rule files that Upkeeper writes among others."""
BOARDS: Mapping[str, str] = {
    "alerting": "remediation", "audit": "remediation", "backups": "backups", "containers": "containers",
    "docker": "containers", "filesystems": "host", "findings": "configuration", "forecasts": "remediation",
    "host": "host", "images": "remediation", "itself": "remediation", "logs": "host", "neo4j": "databases",
    "postgres": "databases", "schedule": "remediation", "services": "services", "sqlite": "overview",
    "updates": "host", "watchdog": "overview", "web": "configuration",
}  # fmt: skip
"""The dashboard that shows what the alerts of a rule file are about: the overview where none shows it by itself."""
ADDED = frozenset({"runbook_url", "dashboard_url"})
"""Annotations that the config adds."""


@dataclass(frozen=True)
class Links:
    """Where alerts link to. runbooks: base URL of URL/ALERT.md. grafana: of URL/d/UID, as Grafana has it."""

    runbooks: str | None = None
    grafana: str | None = None


@dataclass(frozen=True)
class Rule:
    """An alert, or what is recorded. seconds: of ``for``, and of ``keep_firing_for``. file: where it was read from."""

    name: str
    file: str
    query: str
    seconds: tuple[float, float]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def alike(self, other: "Rule") -> bool:
        """In all but the queries, which Prometheus writes in its own way, and the links, which the config adds."""
        return (
            self.seconds == other.seconds
            and self.labels == other.labels
            and _without_links(self.annotations) == _without_links(other.annotations)
        )


@dataclass(frozen=True)
class Compared:
    """Names of rules. other: loaded, and of another version. twice: loaded from more than one file.

    holders: of each file that ships, the loaded files that hold alerts of it.
    """

    missing: Sequence[str]
    other: Sequence[str]
    twice: Sequence[str]
    holders: Mapping[str, Sequence[str]]

    @property
    def current(self) -> bool:
        return not (self.missing or self.other or self.twice)


def shipped(share: Path) -> Sequence[Rule]:
    """Those of ``prometheus/rules``. Raises OSError."""
    return [
        Rule(
            rule.get("alert") or rule["record"],
            file.name,
            str(rule["expr"]),
            (_seconds(rule.get("for")), _seconds(rule.get("keep_firing_for"))),
            rule.get("labels") or {},
            rule.get("annotations") or {},
        )
        for file in sorted((share / "prometheus" / "rules").glob("*.yml"))
        for group in parse(file.read_bytes())["groups"]
        for rule in group["rules"]
    ]


def loaded(document: Any) -> Sequence[Rule]:
    """From ``data`` of ``/api/v1/rules``. Raises KeyError and TypeError on another form."""
    return [
        Rule(
            rule["name"],
            group["file"],
            rule["query"],
            # Before Prometheus 2.47 the API does not tell keep_firing_for.
            (float(rule.get("duration", 0.0)), float(rule.get("keepFiringFor", -1.0))),
            rule.get("labels") or {},
            rule.get("annotations") or {},
        )
        for group in document["groups"]
        for rule in group["rules"]
        if rule.get("type") in ("alerting", "recording")
    ]


def doubtful(ours: Sequence[Rule], theirs: Sequence[Rule]) -> Sequence[tuple[str, str]]:
    """Pairs of queries that are written differently and may mean the same."""
    by_name = {rule.name: rule for rule in theirs}
    return [
        (rule.query, by_name[rule.name].query)
        for rule in ours
        if rule.name in by_name and _squeezed(rule.query) != _squeezed(by_name[rule.name].query)
    ]


def compare(ours: Sequence[Rule], theirs: Sequence[Rule], same: Iterable[tuple[str, str]] = ()) -> Compared:
    """same: pairs of queries that Prometheus's parser takes for one."""
    equal, found = set(same), _by_name(theirs)
    missing, other, twice = [], [], []
    holders: dict[str, list[str]] = {}
    for rule in ours:
        there = found.get(rule.name, [])
        for one in there:
            held = holders.setdefault(rule.file, [])
            if one.file not in held:
                held.append(one.file)
        if not there:
            missing.append(rule.name)
        elif len({one.file for one in there}) > 1:
            twice.append(rule.name)
        elif not all(_told(one, rule).alike(rule) and _means(rule.query, one.query, equal) for one in there):
            other.append(rule.name)
    return Compared(missing, other, twice, holders)


def _by_name(rules: Sequence[Rule]) -> Mapping[str, Sequence[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.name, []).append(rule)
    return found


def _told(loaded: Rule, shipped: Rule) -> Rule:
    """The loaded rule, with what the API does not tell taken for right."""
    if loaded.seconds[1] >= 0:
        return loaded
    return Rule(
        loaded.name, loaded.file, loaded.query, (loaded.seconds[0], shipped.seconds[1]), loaded.labels,
        loaded.annotations,
    )  # fmt: skip


def _means(ours: str, theirs: str, equal: set[tuple[str, str]]) -> bool:
    return _squeezed(ours) == _squeezed(theirs) or (ours, theirs) in equal


def _squeezed(query: str) -> str:
    return "".join(query.split())


def _without_links(annotations: Mapping[str, str]) -> Mapping[str, str]:
    return {name: text for name, text in annotations.items() if name not in ADDED}


def _seconds(duration: Any) -> float:
    if duration is None:
        return 0.0
    seconds = parse_duration(duration)
    return float(seconds) if isinstance(seconds, int | float) else -1.0


def rules_with_links(files: Mapping[str, bytes], links: Links) -> Mapping[str, bytes]:
    """The rule files, each alert with links to its runbook and its dashboard, where it is known where these are."""
    if links == Links():
        return files
    return {name: _with_links(name, content, links) for name, content in files.items()}


def _with_links(name: str, content: bytes, links: Links) -> bytes:
    document = parse(content)
    board = BOARDS[name.removesuffix(".yml")]
    for group in document["groups"]:
        for rule in group["rules"]:
            if "alert" in rule and links.runbooks is not None:
                rule["annotations"]["runbook_url"] = f"{links.runbooks.rstrip('/')}/{rule['alert']}.md"
            if "alert" in rule and links.grafana is not None:
                rule["annotations"]["dashboard_url"] = f"{links.grafana.rstrip('/')}/d/upkeeper-{board}"
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()
