"""What a remediator's /metrics holds once everything has happened once: by the code that exports it."""

from functools import cache
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from remediator.audit.verify import Head
from remediator.config.forecasts import Forecasts
from remediator.config.images import Images
from remediator.config.peers import Watchdog as WatchdogSettings
from remediator.config.schedule import default_jobs
from remediator.forecast.metrics import ForecastMetrics
from remediator.forecast.row import ForecastRow
from remediator.images.metrics import ImageMetrics
from remediator.images.news import ImageNews, News, Result
from remediator.metrics import Metrics
from remediator.model.job import JobRecord
from remediator.model.shapes.status import BallastView
from remediator.model.words import Outcome, Trigger, Verdict
from remediator.runs.keeper import SilenceMetrics
from remediator.schedule.metrics import JobMetrics
from remediator.schedule.standing import Standing
from remediator.telling.reach import Reach
from remediator.webhook.endpoint import WebhookMetrics
from remediator.webhook.reconciler import ReconcileMetrics
from remediator.webhook.watchdog import Watchdog

NOW = 1_800_000_000.0


@cache
def exposition() -> str:
    """In the text format."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for outcome in get_args(Outcome):
        for trigger in get_args(Trigger):
            metrics.finished("docker-cleanup", outcome, trigger, 3.0, NOW)
    for verdict in get_args(Verdict):
        metrics.decided("clean-docker", verdict, "cooldown" if verdict == "blocked" else None)
    metrics.repaired("clean-docker", 42.0)
    metrics.reclaimed("docker-cleanup", 2**30)
    metrics.acted("docker-cleanup", "docker", NOW)
    metrics.queue_depth.set(1)
    metrics.holds([("docker-cleanup", "docker")], [("log-rotation", NOW), (None, NOW)])
    metrics.waits(["clean-docker"], {"restart-down": (1, NOW)})
    metrics.audit(Head(7, "0" * 64), NOW, broken=False)
    metrics.restored(NOW)
    ballast: BallastView = {
        "bytes": 1, "wanted_bytes": 2, "inodes": 1, "wanted_inodes": 2, "whole": False, "lacks": "", "doubt": "",
    }  # fmt: skip
    metrics.ballast(ballast)
    WebhookMetrics(registry)
    ReconcileMetrics(registry).last.set(NOW)
    SilenceMetrics(registry)
    Watchdog(WatchdogSettings, lambda: NOW, lambda: None).register(registry)
    reach = Reach(lambda: NOW, registry)
    reach.keep(["email", "ntfy"])
    reach.went("email")
    reach.did_not_go("ntfy", "ntfy answers 500")
    job = default_jobs()[0]
    record = JobRecord(
        name=job.name, task=job.task, target=None, at=job.at, timezone="UTC", since=NOW, handled_until=NOW,
        done_until=NOW, last_success_at=NOW,
    )  # fmt: skip
    JobMetrics(registry, lambda: NOW).stand([Standing(job, record, NOW, NOW, NOW + 1, busy=False)])
    row = ForecastRow(
        sink="filesystem:/", unit="bytes", limit=100.0, used_ratio=0.7, error_ratio=0.01, full_at=NOW, says="in 1 day"
    )
    ForecastMetrics(registry, Forecasts, lambda: NOW).foretold(NOW, [row])
    images = ImageMetrics(registry, Images)
    waits = ImageNews(
        target="pa.n8n", checked=NOW, created=NOW - 9e6, digest="sha256:1", since=NOW - 9e5, versions=2, majors=1
    )
    images.seen(News(at=NOW, services=[waits]), {"pa.n8n": Result(image="n8n@sha256:0", result="went-back", at=NOW)})
    return generate_latest(registry).decode()


@cache
def exported() -> frozenset[str]:
    """The names of its samples."""
    return frozenset(
        sample.name for family in text_string_to_metric_families(exposition()) for sample in family.samples
    )
