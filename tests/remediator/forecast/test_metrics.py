"""What is served of the last forecasts."""

from prometheus_client import CollectorRegistry, generate_latest

from remediator.config.forecasts import Forecasts
from remediator.forecast.metrics import MAX_AGE, ForecastMetrics
from remediator.forecast.row import ForecastRow

LIMITS = {"upkeeper_forecast_warn_seconds 1.2096e+06", "upkeeper_forecast_min_used_ratio 0.6"}


class Clock:
    now = 1000.0


def served(registry: CollectorRegistry) -> set[str]:
    return {line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")}


def test_limits_are_served_before_anything_is_foretold() -> None:
    registry = CollectorRegistry()
    ForecastMetrics(registry, Forecasts, lambda: 1e9)
    assert served(registry) == LIMITS


def test_the_last_forecasts_until_they_are_old() -> None:
    registry, clock = CollectorRegistry(), Clock()
    metrics = ForecastMetrics(registry, Forecasts, lambda: clock.now)
    metrics.foretold(
        1000.0,
        [
            ForecastRow(sink="memory", unit="bytes", limit=9.0, used_ratio=0.5, error_ratio=0.01, full_at=5e3, says=""),
            ForecastRow(sink="filesystem:/", unit="bytes", limit=9.0, used_ratio=0.7, says="not within 120 days"),
            ForecastRow(sink="docker", unit="bytes", limit=9.0, within="/", used_ratio=0.7, full_at=5e3, says=""),
            ForecastRow(sink="neo4j:a/b", unit="bytes", says="no limit"),
        ],
    )
    last = "upkeeper_forecast_last_timestamp_seconds 1000.0"
    assert served(registry) == {
        *LIMITS,
        last,
        'upkeeper_forecast_full_timestamp_seconds{sink="memory"} 5000.0',
        'upkeeper_forecast_error_ratio{sink="memory"} 0.01',
        'upkeeper_forecast_used_ratio{sink="memory"} 0.5',
        'upkeeper_forecast_used_ratio{sink="filesystem:/"} 0.7',
    }
    clock.now += MAX_AGE + 1
    assert served(registry) == {*LIMITS, last}
