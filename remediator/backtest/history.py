"""What Prometheus remembers of alerts: read in chunks of time, so that memory is bounded however long it reaches back.

Sources: `ALERTS` and the HTTP API, https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

import bisect
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import yaml

from exporter.base.errors import UpkeeperError
from exporter.base.units import parse_duration
from remediator.backtest.episodes import Episode, Gap, Joiner
from remediator.peers.http import PeerError
from remediator.peers.prometheus import Prometheus, Series

DAY_OF_ALERTS = 86400.0
"""Seconds of which the samples of alerts are read at once: a megabyte for ten that fire all the time."""
CHUNK = 10_000
"""Steps that a range query asks for; Prometheus answers at most 11000."""
INTERVAL = 15.0
"""Seconds between evaluations where Prometheus does not tell how often it evaluates rules."""
STEP = 60.0
"""Seconds between the samples of all else. A gate is looked at as often."""

FIRING = 'ALERTS{alertstate="firing"}'
"""Its stored samples are read: an instant vector answers for five minutes with what was, also across a stop."""
SCRAPED = "count(count_over_time(up[{:.0f}ms]))"
"""Whether anything was scraped in so many milliseconds."""
STARTED = "process_start_time_seconds and on (instance, job) prometheus_build_info"


class NoHistory(UpkeeperError):
    """Prometheus does not remember what was asked for. The message says what to do."""


@dataclass(frozen=True)
class GateHistory:
    """What a gate's query returned: at each step the number of samples, and how many of them are numbers."""

    at: Sequence[float]
    samples: Sequence[int]
    numbers: Sequence[int]

    def before(self, now: float) -> int | None:
        """The index of the last step until now; None where nothing was returned yet."""
        index = bisect.bisect_right(self.at, now) - 1
        return index if index >= 0 else None


@dataclass(frozen=True)
class History:
    """What is known of the time from since to until, in Unix seconds.

    interval: how often alerts are evaluated. restarts: when Prometheus started. gates: by query; the reason where one
    has no answer.
    """

    since: float
    until: float
    interval: float
    episodes: Sequence[Episode]
    gaps: Sequence[Gap] = ()
    restarts: Sequence[float] = ()
    external: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    relabels: bool = False
    """Prometheus changes labels of alerts on the way to Alertmanager, which cannot be told from ALERTS."""
    gates: Mapping[str, GateHistory | str] = field(default_factory=dict)

    def known_at(self, now: float) -> bool:
        """Whether Prometheus knew anything then."""
        return not any(gap.begins <= now < gap.ends for gap in self.gaps)


async def read(
    prometheus: Prometheus,
    since: float,
    until: float,
    interval: float | None = None,
    gates: Sequence[str] = (),
    progress: Callable[[float], None] = lambda _: None,
) -> History:
    """Reads what is known. interval: seconds between evaluations of alerts; None for what Prometheus says.

    Raises PeerError, and NoHistory for a time that is too short.
    """
    if until - since < STEP:
        raise NoHistory("the time is too short; ask for an hour or more")
    config = await _config(prometheus)
    interval = interval if interval is not None else await _interval(prometheus, config)
    within = 2.5 * max(STEP, _duration(config, "scrape_interval", STEP))
    scraped = [
        at
        async for _, _, found in _ranges(prometheus, SCRAPED.format(within * 1000), since, until)
        for series in found
        for at, _ in series.samples
    ]
    gaps = gaps_between(scraped, since, until, within)
    restarts: set[float] = set()
    async for _, _, found in _ranges(prometheus, STARTED, since, until):
        restarts |= {value for series in found for _, value in series.samples if value >= since}
    answers = {query: await _answers(prometheus, query, since, until) for query in gates}
    external = config.get("global", {}).get("external_labels") or {}
    joiner = Joiner(interval, {str(name): str(value) for name, value in external.items()})
    begin = since
    while begin < until:
        end = min(begin + DAY_OF_ALERTS, until)
        for series in await prometheus.raw(f"{FIRING}[{(end - begin) * 1000:.0f}ms]", end):
            joiner.add(series.labels, [at for at, _ in series.samples], gaps)
        progress((end - since) / (until - since))
        begin = end
    return History(
        since,
        until,
        interval,
        joiner.finish(until),
        gaps,
        sorted(restarts),
        joiner.external,
        await _version(prometheus),
        bool(config.get("alerting", {}).get("alert_relabel_configs")),
        answers,
    )


async def _ranges(
    prometheus: Prometheus, query: str, since: float, until: float
) -> AsyncIterator[tuple[float, float, Sequence[Series]]]:
    """A query at each step, in chunks: begin, end and what was returned."""
    begin = since
    while begin <= until:
        end = min(begin + (CHUNK - 1) * STEP, until)
        yield begin, end, await prometheus.range(query, begin, end, STEP)
        begin = end + STEP


async def _answers(prometheus: Prometheus, query: str, since: float, until: float) -> GateHistory | str:
    """What a gate's query returned, or why that is not known."""
    answers = _Answers()
    try:
        async for begin, end, found in _ranges(prometheus, query, since, until):
            answers.add(found, begin, end)
    except PeerError as error:
        return str(error)
    return GateHistory(answers.at, answers.samples, answers.numbers)


def gaps_between(scraped: Sequence[float], since: float, until: float, within: float) -> Sequence[Gap]:
    """The times in which nothing was scraped, to the step. Pure.

    scraped: the steps at which something had been scraped within so many seconds.
    """
    if not scraped:
        return [Gap(since, until)]
    gaps = [Gap(since, scraped[0])] if scraped[0] - since > STEP else []
    gaps += [Gap(last - within, at) for last, at in pairwise(scraped) if at - last > 1.5 * STEP]
    if until - scraped[-1] > 1.5 * STEP:
        gaps.append(Gap(scraped[-1] - within, until))
    return gaps


@dataclass
class _Answers:
    """The answers to a gate's query, a step each."""

    at: list[float] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def add(self, found: Sequence[Series], begin: float, end: float) -> None:
        steps = int((end - begin) / STEP) + 1
        samples, numbers = [0] * steps, [0] * steps
        for series in found:
            for at, value in series.samples:
                index = round((at - begin) / STEP)
                samples[index] += 1
                numbers[index] += not math.isnan(value)
        for index in range(steps):
            now = (samples[index], numbers[index])
            if not self.at or now != (self.samples[-1], self.numbers[-1]):
                self.at.append(begin + index * STEP)
                self.samples.append(now[0])
                self.numbers.append(now[1])


async def _config(prometheus: Prometheus) -> Mapping[str, Any]:
    """Prometheus's own config; an empty one where it does not tell, as some that speak its API do not."""
    try:
        document = yaml.safe_load((await prometheus.status("config"))["yaml"])
    except (PeerError, KeyError, TypeError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


async def _version(prometheus: Prometheus) -> str:
    try:
        return str((await prometheus.status("buildinfo"))["version"])
    except (PeerError, KeyError, TypeError):
        return ""


async def _interval(prometheus: Prometheus, config: Mapping[str, Any]) -> float:
    """How often alerts are evaluated: the shortest interval of a group that has some."""
    try:
        groups = (await prometheus.rules())["groups"]
        intervals = [
            float(group["interval"]) for group in groups if any(rule["type"] == "alerting" for rule in group["rules"])
        ]
    except (PeerError, KeyError, TypeError, ValueError):
        intervals = []
    return min(intervals, default=_duration(config, "evaluation_interval", INTERVAL))


def _duration(config: Mapping[str, Any], key: str, default: float) -> float:
    try:
        found = parse_duration(config.get("global", {}).get(key, default))
    except ValueError:
        return default
    return found if isinstance(found, float) else default
