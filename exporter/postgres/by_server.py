"""A gauge with one sample a server."""

from collections.abc import Callable, Sequence

from exporter.base.families import Families
from exporter.postgres.rows import ServerReading


def by_server(
    made: Families, name: str, text: str, readings: Sequence[ServerReading], value: Callable[..., float | None]
) -> None:
    """Adds the gauge. value: of a reading; None is absent."""
    made.gauge(name, text).add_all(([reading.server], value(reading)) for reading in readings)
