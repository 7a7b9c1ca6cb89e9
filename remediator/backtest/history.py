"""What Prometheus remembers of alerts: read in chunks of time, so that memory is bounded however long it reaches back.

Sources: `ALERTS` and the HTTP API, https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from exporter.base.errors import UpkeeperError
from exporter.base.units import parse_duration
from remediator.backtest.episodes import Episode, Gap, Joiner
from remediator.peers.http import PeerError
from remediator.peers.prometheus import Prometheus

CHUNK = 5000
"""Steps that one query asks for; Prometheus answers at most 11000."""
STEP = 15.0
"""Seconds between samples where Prometheus does not tell how often it evaluates rules."""
FEWEST_SECONDS = 5.0
"""Least seconds between samples."""
MOST_STEPS = 1_000_000

FIRING = 'timestamp(ALERTS{alertstate="firing"})'
"""When each alert that fires was last evaluated: for five minutes after a stop, and for as long without a marker of its
end, an instant vector answers with what was.
"""
LAST_SCRAPE = "max(timestamp(up))"
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

    restarts: when Prometheus started. version: of Prometheus. gates: by query; the reason where one has no answer.
    scrapes: when it last scraped anything, by steps.
    """

    since: float
    until: float
    step: float
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
    step: float | None,
    gates: Sequence[str] = (),
    progress: Callable[[float], None] = lambda _: None,
) -> History:
    """Reads what is known. step: seconds between samples; None for how often the rules are evaluated.

    Raises PeerError, and NoHistory for a time that is too long for its step.
    """
    config = await _config(prometheus)
    step = step if step is not None else max(FEWEST_SECONDS, await _interval(prometheus, config))
    since, until = math.ceil(since / step) * step, math.floor(until / step) * step
    if until <= since:
        raise NoHistory("the time is shorter than a step; ask for a longer time, or a shorter step")
    if (until - since) / step > MOST_STEPS:
        raise NoHistory(f"that are more than {MOST_STEPS} steps; ask for a shorter time, or a longer step")
    external = config.get("global", {}).get("external_labels") or {}
    joiner = Joiner(step, {str(name): str(value) for name, value in external.items()})
    blind = _Blind(step, _tolerance(step, config), since)
    restarts: list[float] = []
    answers = {query: _Answers() for query in gates}
    failed: dict[str, str] = {}
    begin = since
    while begin <= until:
        end = min(begin + (CHUNK - 1) * step, until)
        for series in await prometheus.range(LAST_SCRAPE, begin, end, step):
            blind.add(series.samples)
        blind.until(end)
        for series in await prometheus.range(FIRING, begin, end, step):
            joiner.add(series.labels, (at for at, seen in series.samples if at - seen < 2.5 * step), blind.gaps)
        for series in await prometheus.range(STARTED, begin, end, step):
            restarts += [value for _, value in series.samples if since <= value]
        for query in gates:
            if query not in failed:
                try:
                    answers[query].add(await prometheus.range(query, begin, end, step), begin, end, step)
                except PeerError as error:
                    failed[query] = str(error)
        progress((end - since) / (until - since))
        begin = end + step
    version = await _version(prometheus)
    return History(
        since,
        until,
        step,
        joiner.finish(until),
        [gap for gap in blind.gaps if gap.seconds > 0],
        sorted(set(restarts)),
        joiner.external,
        version,
        bool(config.get("alerting", {}).get("alert_relabel_configs")),
        {query: failed.get(query) or found.history() for query, found in answers.items()},
    )


@dataclass
class _Blind:
    """Finds the times in which nothing was scraped. `up` itself is answered for 5 minutes after the last scrape."""

    step: float
    tolerance: float
    since: float
    gaps: list[Gap] = field(default_factory=list)
    _seen: float = 0.0

    def __post_init__(self) -> None:
        self._seen = self.since

    def add(self, samples: Sequence[tuple[float, float]]) -> None:
        """Steps, each with when anything was last scraped."""
        for _, scraped in samples:
            if scraped - self._seen > self.tolerance:
                self._gap(self._seen, scraped)
            self._seen = max(self._seen, scraped)

    def until(self, end: float) -> None:
        """There are no more steps until then."""
        if end - self._seen > self.tolerance + self.step:
            self._gap(self._seen, end)
            self._seen = end

    def _gap(self, begins: float, ends: float) -> None:
        if self.gaps and self.gaps[-1].ends == begins:
            begins = self.gaps.pop().begins
        self.gaps.append(Gap(begins, ends))


@dataclass
class _Answers:
    """The answers to a gate's query, a step each."""

    at: list[float] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def add(self, found: Sequence[Any], begin: float, end: float, step: float) -> None:
        steps = round((end - begin) / step) + 1
        samples, numbers = [0] * steps, [0] * steps
        for series in found:
            for at, value in series.samples:
                index = round((at - begin) / step)
                samples[index] += 1
                numbers[index] += not math.isnan(value)
        for index in range(steps):
            now = (samples[index], numbers[index])
            if not self.at or now != (self.samples[-1], self.numbers[-1]):
                self.at.append(begin + index * step)
                self.samples.append(now[0])
                self.numbers.append(now[1])

    def history(self) -> GateHistory:
        return GateHistory(self.at, self.samples, self.numbers)


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
    return min(intervals, default=_duration(config, "evaluation_interval", STEP))


def _tolerance(step: float, config: Mapping[str, Any]) -> float:
    """Seconds without a scrape that are nothing to speak of: of three in a row, one may be late and one lost."""
    return 2.5 * max(step, _duration(config, "scrape_interval", STEP))


def _duration(config: Mapping[str, Any], key: str, default: float) -> float:
    try:
        found = parse_duration(config.get("global", {}).get(key, default))
    except ValueError:
        return default
    return found if isinstance(found, float) else default
