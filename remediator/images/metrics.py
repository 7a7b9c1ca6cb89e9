"""The metrics of images: what waits, since when, and how the last updates went."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from exporter.base.families import Families
from remediator.config.images import Images
from remediator.images.news import News, Result, standing


class ImageMetrics:
    """What was last seen. settings: those in force."""

    def __init__(self, registry: CollectorRegistry, settings: Callable[[], Images]) -> None:
        self._settings = settings
        self._news: News | None = None
        self._results: Mapping[str, Result] = {}
        registry.register(_Collector(self))

    def seen(self, news: News | None, results: Mapping[str, Result]) -> None:
        """What registries had when they were last asked, and the last result of each service."""
        self._news, self._results = news, results

    def families(self) -> Iterable[Metric]:
        made = Families("upkeeper_image", "target")
        settings, news = self._settings(), self._news
        services, results = standing(news, self._results)
        answered = made.gauge(
            "check_success", "1 if the registry of a service's image answered when it was last asked, else 0"
        )
        checked = made.gauge("checked_timestamp_seconds", "When the registry of a service's image last answered")
        created = made.gauge("created_timestamp_seconds", "When the image that a service runs was built")
        since = made.gauge(
            "update_pending_since_timestamp_seconds",
            "Since when a new image of the tag of a service has been seen to wait; absent while none does",
        )
        by_kind = Families("upkeeper_image", "target", "kind")
        pending = by_kind.gauge(
            "update_pending",
            "What waits for a service: a new image of its tag (kind image), newer tags of the same major version "
            "(version), and what crosses a major version (major)",
        )
        for each in services:
            if not each.asked:
                continue
            labels = (each.target,)
            answered.add(labels, float(not each.error))
            checked.add(labels, each.checked)
            created.add(labels, each.created)
            since.add(labels, None if each.crosses else each.since)
            if each.checked is not None:
                pending.add_all(((each.target, kind), count) for kind, count in each.waiting.items())
        by_result = Families("upkeeper_image", "target", "result")
        last = by_result.gauge(
            "update_last_result_timestamp_seconds",
            "When the last update of a service ended, by how: updated, went-back, asked (a person must say what is to "
            "stay), unwell (on the former image too)",
        )
        last.add_all(((target, result.result), result.at) for target, result in results.items())
        limits = Families("upkeeper_image")
        limits.gauge("update_max_pending_seconds", "How long a new image may wait").add((), settings.max_pending)
        limits.gauge("check_max_age_seconds", "How long a registry may not answer").add((), settings.check_max_age)
        looked = limits.gauge("last_check_timestamp_seconds", "When all services were last looked at; absent without")
        looked.add((), None if news is None else news.at)
        return [*made.all, *by_kind.all, *by_result.all, *limits.all]


class _Collector:
    """For a registry."""

    def __init__(self, metrics: ImageMetrics) -> None:
        self.collect = metrics.families
