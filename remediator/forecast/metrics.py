"""The metrics of the last forecasts, computed when they are asked for."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from exporter.base.families import Families
from remediator.config.forecasts import Forecasts
from remediator.forecast.row import ForecastRow

MAX_AGE = 3 * 86400.0
"""Seconds after which forecasts are no longer served: they are made anew each day."""


class ForecastMetrics:
    """What was last foretold of each sink with a limit of its own. settings: those in force. clock: Unix seconds."""

    def __init__(
        self, registry: CollectorRegistry, settings: Callable[[], Forecasts], clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._made_at = 0.0
        self._rows: Sequence[ForecastRow] = ()
        registry.register(_Collector(self))

    def foretold(self, made_at: float, rows: Sequence[ForecastRow]) -> None:
        """The last forecasts, made at that time (Unix seconds)."""
        self._made_at = made_at
        self._rows = rows

    def families(self) -> Iterable[Metric]:
        made = Families("upkeeper_forecast", "sink")
        full = made.gauge("full_timestamp_seconds", "When a sink will be full; absent while that is not foreseen")
        error = made.gauge(
            "error_ratio", "What forecasts of a week were off on this sink, in the median, as a share of its limit"
        )
        used = made.gauge("used_ratio", "Used share of a sink's limit, the highest of the day before the forecast")
        limits = Families("upkeeper_forecast")
        settings = self._settings()
        limits.gauge("warn_seconds", "How long before a sink is full a warning is due").add((), settings.warn_within)
        limits.gauge("min_used_ratio", "Used share of a sink below which no forecast warns").add(
            (), settings.min_used_ratio
        )
        last = limits.gauge("last_timestamp_seconds", "When the last forecasts were made; absent without any")
        if self._made_at:
            last.add((), self._made_at)
        if self._clock() - self._made_at <= MAX_AGE:
            for row in self._rows:
                if row.is_own:
                    full.add((row.sink,), row.full_at)
                    error.add((row.sink,), row.error_ratio)
                    used.add((row.sink,), row.used_ratio)
        return [*made.all, *limits.all]


class _Collector:
    """For a registry."""

    def __init__(self, metrics: ForecastMetrics) -> None:
        self.collect = metrics.families
