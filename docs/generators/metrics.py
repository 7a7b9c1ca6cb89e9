"""docs/metrics.md: every metric family, by what the collectors and the remediator say of them.

The collectors are run on a machine where there is nothing: a family says what it means without a single sample.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector as Registered

from docs.generators.markdown import blocks, code, sentence, table
from exporter.collectors.backups import BackupsCollector
from exporter.collectors.collector import Collector
from exporter.collectors.docker import DockerCollector
from exporter.collectors.docker_usage import DockerUsageCollector
from exporter.collectors.filesystem import FilesystemCollector
from exporter.collectors.findings import FindingsCollector
from exporter.collectors.host import HostCollector
from exporter.collectors.logs import LogsCollector
from exporter.collectors.neo4j import Neo4jCollector
from exporter.collectors.postgres import PostgresCollector
from exporter.collectors.services import ServicesCollector
from exporter.collectors.sqlite import SqliteCollector
from exporter.collectors.systemd import SystemdCollector
from exporter.collectors.updates import UpdatesCollector
from exporter.configfile.reload import ConfigWatch
from exporter.docker.engine import DockerEngine
from exporter.docker.objects import Usage
from exporter.exposition import Format
from exporter.findings.audit import Audit
from exporter.inventory.inventory import Inventory
from exporter.snapshot import Snapshot
from exporter.web.load import Certificate
from exporter.web.web_metrics import WebMetrics
from remediator.config import peers
from remediator.config.forecasts import Forecasts
from remediator.config.images import Images
from remediator.forecast.metrics import ForecastMetrics
from remediator.images.metrics import ImageMetrics
from remediator.metrics import Metrics
from remediator.runs.keeper import SilenceMetrics
from remediator.schedule.metrics import JobMetrics
from remediator.telling.reach import Reach
from remediator.webhook.endpoint import WebhookMetrics
from remediator.webhook.reconciler import ReconcileMetrics
from remediator.webhook.watchdog import Watchdog

T = TypeVar("T")
Row = Sequence[str]

INTRODUCTION = """\
# Metrics

<!-- Written by docs/generate.py from the collectors and the remediator. Change those, and run it again. -->

The exporter serves its metrics on <http://127.0.0.1:10746/metrics>, the remediator on <http://127.0.0.1:10747/metrics>,
in the text format or as OpenMetrics. `?collect[]=logs` asks the exporter for single collectors.

Units are base units: bytes, seconds, ratios from 0 to 1, points in time as Unix seconds. Each limit of the
[config](configuration.md) is a metric beside what it limits, so that a rule compares the two. What could not be
measured is absent, never 0."""

_UNITS = {
    "_timestamp_seconds": "Unix seconds",
    "_seconds": "seconds",
    "_seconds_total": "seconds",
    "_bytes": "bytes",
    "_bytes_total": "bytes",
    "_ratio": "0 to 1",
}


def page() -> str:
    """The page."""
    return asyncio.run(_page())


async def _page() -> str:
    inventory, settings = Inventory(), Inventory().collectors
    collectors: Sequence[Collector] = [
        ServicesCollector([], settings.services),
        FilesystemCollector(inventory.filesystems, settings.filesystem),
        LogsCollector([], settings.logs, settings.stale_after),
        BackupsCollector([], settings.backups, settings.stale_after),
        DockerCollector(_EmptyEngine(([], [])), inventory.docker, settings.docker),
        DockerUsageCollector(_EmptyEngine(True, Usage()), inventory.docker, settings.docker_usage),
        PostgresCollector([], settings.postgres),
        Neo4jCollector([], settings.neo4j),
        SqliteCollector([], settings.sqlite),
        HostCollector(inventory.host, settings.host),
        UpdatesCollector(inventory.host, settings.updates, managers=tuple),
        SystemdCollector(settings.systemd, booted=Path("/nowhere")),
        FindingsCollector(Audit(inventory.configuration), settings.findings),
    ]
    parts = [INTRODUCTION, "## Exporter"]
    for collector in collectors:
        families = await collector.collect()
        parts += [f"### Collector {code(collector.name)}", _table(_row(family, _labels(family)) for family in families)]
    parts += ["### Of the exporter itself", _table(await _standing())]
    web = WebMetrics(0.0, Certificate(0.0, 0.0)).families()
    parts += ["## Remediator", _table(_remediator())]
    return blocks(*parts, "## Of either, with a web config", _table(_row(family, _labels(family)) for family in web))


class _EmptyEngine(DockerEngine):
    """An engine without objects. answers: to each call in turn."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self._answers = iter(answers)

    def patient(self, timeout: float, threads: int = 2) -> DockerEngine:
        return self

    async def call(self, function: Callable[[Any], T]) -> T:
        answer: T = next(self._answers)
        return answer


class _Collected(Snapshot):
    """Tells when every collector has ended its first collection."""

    def __init__(self) -> None:
        super().__init__(facts=_watch().families)
        self.ended = asyncio.Event()

    def touch(self) -> None:
        super().touch()
        if self.ready:
            self.ended.set()


async def _standing() -> list[Row]:
    """What a snapshot adds about its collectors, the build and the config, as it is served."""
    settings, snapshot = Inventory().collectors, _Collected()
    await snapshot.replace([LogsCollector([], settings.logs, settings.stale_after)], settings.stale_after)
    await snapshot.ended.wait()
    await snapshot.stop()
    families = text_string_to_metric_families(snapshot.body(Format.TEXT).decode())
    # With no log directory, the collector's own families have no samples.
    return [_row(family, list(family.samples[0].labels)) for family in families if family.samples]


def _watch() -> ConfigWatch:
    async def nothing() -> None:
        """There is no config to put in force."""

    return ConfigWatch(None, nothing)


class _Noted(CollectorRegistry):
    """Remembers what was registered: a family of the client library tells its labels only before it is collected."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[MetricWrapperBase] = []

    def register(self, collector: Registered) -> None:
        if isinstance(collector, MetricWrapperBase):
            self.noted.append(collector)
        super().register(collector)


def _remediator() -> Iterator[Row]:
    registry = _Noted()
    Metrics(registry)
    WebhookMetrics(registry)
    ReconcileMetrics(registry)
    SilenceMetrics(registry)
    Watchdog(peers.Watchdog, lambda: 0.0, lambda: None).register(registry)
    reach = Reach(lambda: 0.0, registry).families()
    for metric in registry.noted:
        yield from (_row(family, _labels(metric)) for family in metric.describe())
    forecasts = ForecastMetrics(registry, Forecasts, lambda: 0.0).families()
    images = ImageMetrics(registry, Images).families()
    jobs = JobMetrics(registry, lambda: 0.0).families()
    for family in (*jobs, *reach, *forecasts, *images, *_watch().families()):
        yield _row(family, _labels(family))


def _labels(family: Metric | MetricWrapperBase) -> Sequence[str]:
    """The names of its labels, which the client library has no other access to."""
    names: Sequence[str] = family._labelnames  # type: ignore[union-attr]
    return names


def _row(family: Metric, labels: Sequence[str]) -> Row:
    name = {"counter": f"{family.name}_total", "info": f"{family.name}_info"}.get(family.type, family.name)
    suffix = max((suffix for suffix in _UNITS if name.endswith(suffix)), key=len, default="")
    shown = ", ".join(code(label) for label in labels)
    return [code(name), family.type, shown, _UNITS.get(suffix, ""), sentence(family.documentation)]


def _table(rows: Iterable[Row]) -> str:
    return table(["metric", "type", "labels", "unit", "meaning"], rows)
