"""How a family is made of readings."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from exporter.postgres.rows import Reading

PREFIX = "upkeeper_postgres"

Samples = Iterable[tuple[Sequence[str], float | None]]
"""Values of the labels, and the value; None is absent."""


def by_server(name: str, text: str, readings: Sequence[Reading], value: Callable[..., float | None]) -> Metric:
    """A family with one sample a server."""
    return gauge(name, text, ["server"], (([reading.server], value(reading)) for reading in readings))


def gauge(name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
    """A family of these samples."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family
