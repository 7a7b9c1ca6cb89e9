"""What others foretell by: a straight line through what was measured."""

from collections.abc import Sequence
from math import inf

Samples = Sequence[tuple[float, float]]


def line(samples: Samples, now: float) -> tuple[float, float]:
    """The value at that time and the growth a second of the line with the least squares, as Prometheus draws it."""
    count = len(samples)
    mean_x = sum(at - now for at, _ in samples) / count
    mean_y = sum(value for _, value in samples) / count
    spread = sum((at - now - mean_x) ** 2 for at, _ in samples)
    slope = sum((at - now - mean_x) * (value - mean_y) for at, value in samples) / spread
    return mean_y - slope * mean_x, slope


def predict_linear(samples: Samples, now: float, ahead: float) -> float:
    """``predict_linear(x[RANGE], ahead)`` at a time, of the samples in its range."""
    value, slope = line(samples, now)
    return value + slope * ahead


def days_until(samples: Samples, limit: float, now: float) -> float:
    """Days until the line reaches the limit; inf where it never does."""
    value, slope = line(samples, now)
    if value >= limit:
        return 0.0
    return (limit - value) / slope / 86400 if slope > 0 else inf
