"""What a Prometheus says of itself, and what of that is missing or wrong for Upkeeper. Asking is apart from judging."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml

from exporter.base.text import counted
from exporter.base.units import format_duration, parse_duration
from remediator.monitoring.check import Check
from remediator.monitoring.fastyaml import parse
from remediator.monitoring.rules import Compared, Rule, compare, doubtful, loaded
from remediator.peers.http import PeerError
from remediator.peers.prometheus import Prometheus

JOBS = ("upkeeper-exporter", "upkeeper-remediator")
"""The names by which rules and runbooks know what Prometheus scrapes of us."""
LEAST_RETENTION = 28 * 86400.0
"""Of history: `performance-analysis` compares with the same hour of four weeks."""
DEFAULT_RETENTION = 15 * 86400.0
"""Of a Prometheus that is told nothing."""
_AT_ONCE = 8


@dataclass(frozen=True)
class Target:
    job: str
    host: str
    port: int | None
    up: bool
    error: str


@dataclass(frozen=True)
class Seen:
    """document: its config. config_file: where that lies on its machine; empty where it does not tell.

    retention: seconds; None where only its size ends it. lifecycle: whether it can be told to read its config again.
    """

    url: str
    version: str
    config_file: str
    config_text: str
    document: Mapping[str, Any]
    lifecycle: bool
    retention: float | None
    targets: Sequence[Target]
    alertmanagers: Sequence[str]
    compared: Compared = field(repr=False)


async def look(prometheus: Prometheus, ours: Sequence[Rule]) -> Seen:
    """ours: the rules that ship. Raises PeerError."""
    config, flags, build, targets, alertmanagers, rules = await asyncio.gather(
        prometheus.status("config"),
        prometheus.status("flags"),
        prometheus.status("buildinfo"),
        prometheus.targets(),
        prometheus.alertmanagers(),
        prometheus.rules(),
    )
    try:
        theirs = loaded(rules)
        document = parse(config["yaml"]) or {}
        return Seen(
            prometheus.url,
            str(build["version"]),
            str(flags.get("config.file", "")),
            str(config["yaml"]),
            document,
            flags.get("web.enable-lifecycle") == "true",
            _retention(flags),
            [_target(each) for each in targets["activeTargets"]],
            [str(each["url"]) for each in alertmanagers["activeAlertmanagers"]],
            compare(ours, theirs, await _same(prometheus, doubtful(ours, theirs))),
        )
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise PeerError(f"Prometheus at {prometheus.url} answers in a form that is not understood") from error


async def _same(prometheus: Prometheus, pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Those pairs of queries that its parser takes for one."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def formatted(query: str) -> str:
        async with turn:
            return await prometheus.formatted(query)

    async def same(pair: tuple[str, str]) -> bool:
        first, second = await asyncio.gather(*map(formatted, pair))
        return first == second

    found = await asyncio.gather(*map(same, pairs))
    return [pair for pair, is_same in zip(pairs, found, strict=True) if is_same]


def _retention(flags: Mapping[str, str]) -> float | None:
    told = flags.get("storage.tsdb.retention.time") or "0s"
    seconds = parse_duration(told)
    if isinstance(seconds, int | float) and seconds > 0:
        return float(seconds)
    by_size = flags.get("storage.tsdb.retention.size") or "0B"
    return DEFAULT_RETENTION if by_size.startswith("0") else None


def _target(document: Mapping[str, Any]) -> Target:
    at = urlsplit(document["scrapeUrl"])
    return Target(
        document["labels"].get("job", ""), at.hostname or "", at.port, document["health"] == "up", document["lastError"]
    )


def judge(seen: Seen, ports: Mapping[str, int]) -> Iterator[Check]:
    """ports: by job, where the services of this machine listen."""
    yield Check("prometheus", "answers", "ok", f"{seen.version} at {seen.url}")
    for job in JOBS:
        yield _scraped(job, ports[job], seen.targets)
    yield _rules(seen.compared)
    yield _posts(seen)
    yield _keeps(seen.retention)


def _scraped(job: str, port: int, targets: Sequence[Target]) -> Check:
    name = f"scrapes {job}"
    of_job = [target for target in targets if target.job == job]
    here = [target for target in of_job if target.port == port]
    if any(target.up for target in here):
        return Check("prometheus", name, "ok", f"port {port} answers its scrapes")
    if here:
        what = f"its scrapes of {here[0].host}:{port} fail: {here[0].error or 'not scraped yet'}"
        return Check("prometheus", name, "wrong", what, "see that the service runs there, and that it may be reached")
    other = [target for target in targets if target.port == port]
    if other:
        what = f"port {port} is scraped by the job {other[0].job}, and rules know it as {job}"
        return Check("prometheus", name, "wrong", what, f"name the job {job}")
    more = f", only {counted(len(of_job), 'other')}" if of_job else ""
    return Check("prometheus", name, "missing", f"nothing scrapes port {port}{more}", "add the scrape job")


def _rules(compared: Compared) -> Check:
    if compared.current:
        return Check("prometheus", "rules", "ok", "loaded, and of this version")
    said = [
        f"{counted(len(names), 'rule')} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for names, what in (
            (compared.missing, "not loaded"),
            (compared.other, "of another version"),
            (compared.twice, "loaded twice"),
        )
        if names
    ]
    state = "wrong" if compared.holders else "missing"
    return Check("prometheus", "rules", "wrong" if state == "wrong" else "missing", "; ".join(said), "load the rules")


def names_alertmanager(document: Mapping[str, Any]) -> bool:
    """Whether a config of Prometheus has it post alerts anywhere."""
    return bool((document.get("alerting") or {}).get("alertmanagers"))


def _posts(seen: Seen) -> Check:
    if seen.alertmanagers:
        return Check("prometheus", "posts alerts", "ok", f"to {', '.join(_base(url) for url in seen.alertmanagers)}")
    if names_alertmanager(seen.document):
        what = (
            "its config names one, and it has found none yet"  # in the first seconds, or by a discovery that is empty
        )
        return Check(
            "prometheus", "posts alerts", "unknown", what, "look again; then see `alerting:` of prometheus.yml"
        )
    remedy = "name the Alertmanager in `alerting:` of prometheus.yml"
    return Check("prometheus", "posts alerts", "missing", "it knows no Alertmanager", remedy)


def _base(url: str) -> str:
    return url.partition("/api/")[0]


def _keeps(retention: float | None) -> Check:
    if retention is None:
        return Check("prometheus", "retention", "ok", "as much as its retention.size holds")
    if retention >= LEAST_RETENTION:
        return Check("prometheus", "retention", "ok", format_duration(retention))
    return Check(
        "prometheus",
        "retention",
        "wrong",
        f"{format_duration(retention)}, and comparisons and forecasts look back {format_duration(LEAST_RETENTION)}",
        "start it with --storage.tsdb.retention.time=45d",
    )
