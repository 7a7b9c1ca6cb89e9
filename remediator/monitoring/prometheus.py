"""What a Prometheus says of itself, and what of that is missing or wrong for Upkeeper. Asking is apart from judging."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import yaml

from exporter.base.listen import is_loopback_host
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
_RESOLVE_SECONDS = 2.0
_NO_TIME = 1e12
"""Above any: what an empty history tells for its beginning."""
_OWN = re.compile(
    r"^prometheus_(notifications_sent_total|notifications_errors_total|tsdb_lowest_timestamp_seconds"
    r"|tsdb_size_retentions_total)(?:\{[^}]*\})? ([0-9.eE+-]+)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Target:
    job: str
    host: str
    port: int | None
    up: bool
    error: str
    ours: bool = True
    """Whether it is on this machine; False where that is not so, or cannot be told."""


@dataclass(frozen=True)
class Own:
    """What it counts about itself, since its start. posted, failed: alerts, to Alertmanagers. oldest: seconds that its
    history goes back. cut: how often its size alone made it drop a part of that.
    """

    posted: float = 0.0
    failed: float = 0.0
    oldest: float | None = None
    cut: float = 0.0


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
    own: Own | None = None
    """None where it does not tell."""


async def look(prometheus: Prometheus, ours: Sequence[Rule]) -> Seen:
    """ours: the rules that ship. Raises PeerError."""
    config, flags, build, targets, alertmanagers, rules, own = await asyncio.gather(
        prometheus.status("config"),
        prometheus.status("flags"),
        prometheus.status("buildinfo"),
        prometheus.targets(),
        prometheus.alertmanagers(),
        prometheus.rules(),
        _own(prometheus),
    )
    try:
        theirs = loaded(rules)
        document = parse(config["yaml"]) or {}
        return Seen(
            prometheus.url,
            str(build["version"]),
            await _config_file(prometheus, str(flags.get("config.file", ""))),
            str(config["yaml"]),
            document,
            flags.get("web.enable-lifecycle") == "true",
            _retention(flags),
            await _here(prometheus.url, [_target(each) for each in targets["activeTargets"]]),
            [str(each["url"]) for each in alertmanagers["activeAlertmanagers"]],
            compare(ours, theirs, await _same(prometheus, doubtful(ours, theirs))),
            own,
        )
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise PeerError(f"Prometheus at {prometheus.url} answers in a form that is not understood") from error


async def _own(prometheus: Prometheus) -> Own | None:
    try:
        status, body = await prometheus.fetch("GET", "/metrics")
    except PeerError:
        return None
    return own(body.decode(errors="replace"), time.time()) if status == 200 else None


def own(metrics: str, now: float) -> Own:
    """From the text of its own metrics. now: Unix seconds. Pure."""
    found: dict[str, float] = {}
    for name, value in _OWN.findall(metrics):
        found[name] = found.get(name, 0.0) + float(value)
    first = found.get("tsdb_lowest_timestamp_seconds", 0.0)
    return Own(
        found.get("notifications_sent_total", 0.0),
        found.get("notifications_errors_total", 0.0),
        max(0.0, now - first) if 0 < first < _NO_TIME else None,
        found.get("tsdb_size_retentions_total", 0.0),
    )


async def _here(url: str, targets: Sequence[Target]) -> Sequence[Target]:
    """The targets, with whether they are on this machine. Their loopback addresses are Prometheus's machine's."""
    names = {urlsplit(url).hostname or "", *(target.host for target in targets if target.job in JOBS)}
    local = dict(zip(names, await asyncio.gather(*map(is_here, names)), strict=True))
    beside = local[urlsplit(url).hostname or ""]
    return [replace(one, ours=beside if is_loopback_host(one.host) else local.get(one.host, False)) for one in targets]


async def is_here(host: str) -> bool:
    """Whether a name or an address is this machine's: only its own addresses can be bound to."""
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return False
    for family, kind, proto, _, address in found:
        try:
            with socket.socket(family, kind, proto) as probe:
                probe.bind(address)
        except OSError:
            continue
        return True
    return False


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


async def _config_file(prometheus: Prometheus, path: str) -> str:
    """As it was started with, seen from the directory that it was started in, where it tells that one."""
    if not path or path.startswith("/"):
        return path
    try:
        directory = (await prometheus.status("runtimeinfo"))["CWD"]
    except (PeerError, KeyError, TypeError):
        return path
    return f"{directory.rstrip('/')}/{path}" if isinstance(directory, str) and directory.startswith("/") else path


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
    yield _keeps(seen.retention, seen.own or Own())


def _scraped(job: str, port: int, targets: Sequence[Target]) -> Check:
    name = f"scrapes {job}"
    of_job = [target for target in targets if target.job == job]
    here = [target for target in of_job if target.port == port]
    if any(target.up and target.ours for target in here):
        return Check("prometheus", name, "ok", f"port {port} answers its scrapes")
    if up := [target for target in here if target.up]:
        what = f"{up[0].host}:{port} answers its scrapes; whether that is this machine could not be seen"
        return Check("prometheus", name, "unknown", what, "see that the target names this machine")
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
        to = f"to {', '.join(_base(url) for url in seen.alertmanagers)}"
        return _taken(to, seen.own)
    if names_alertmanager(seen.document):
        what = (
            "its config names one, and it has found none yet"  # in the first seconds, or by a discovery that is empty
        )
        return Check(
            "prometheus", "posts alerts", "unknown", what, "look again; then see `alerting:` of prometheus.yml"
        )
    remedy = "name the Alertmanager in `alerting:` of prometheus.yml"
    return Check("prometheus", "posts alerts", "missing", "it knows no Alertmanager", remedy)


def _taken(to: str, own: Own | None) -> Check:
    """That it knows one is no sign yet that one takes what it posts."""
    if own is None or own.posted <= 0:
        why = "it does not tell whether any was taken" if own is None else "nothing was posted yet"
        return Check("prometheus", "posts alerts", "unknown", f"{to}; {why}", "look again in a minute")
    if own.failed >= own.posted:
        what = f"{to}, and each of {counted(int(own.posted), 'alert')} was lost on the way"
        return Check("prometheus", "posts alerts", "wrong", what, "Prometheus's log says why")
    more = f", {int(own.failed)} were lost" if own.failed else ""
    return Check(
        "prometheus", "posts alerts", "ok", f"{to}: {counted(int(own.posted - own.failed), 'alert')} taken{more}"
    )


def _base(url: str) -> str:
    return url.partition("/api/")[0]


def _keeps(retention: float | None, own: Own) -> Check:
    back = "how far it goes back is not known" if own.oldest is None else f"it goes back {format_duration(own.oldest)}"
    if (retention is None or own.cut > 0) and (own.oldest or 0.0) < LEAST_RETENTION:
        # Its size ends it, and how much time that is only its oldest sample tells.
        what = (
            f"as much as its retention.size holds, and {back}; comparisons look back {format_duration(LEAST_RETENTION)}"
        )
        if own.cut > 0:
            return Check("prometheus", "retention", "wrong", what, "give it a larger --storage.tsdb.retention.size")
        return Check("prometheus", "retention", "unknown", what, "look again when it is older")
    if retention is None:
        return Check("prometheus", "retention", "ok", f"as much as its retention.size holds, and {back}")
    if retention >= LEAST_RETENTION:
        return Check("prometheus", "retention", "ok", format_duration(retention))
    return Check(
        "prometheus",
        "retention",
        "wrong",
        f"{format_duration(retention)}, and comparisons and forecasts look back {format_duration(LEAST_RETENTION)}",
        "start it with --storage.tsdb.retention.time=45d",
    )
