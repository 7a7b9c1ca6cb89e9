"""Two collections of the exporter's own collectors, a moment apart, as rates. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import Metric

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name, and its labels in the order of their names."""
Samples = Mapping[Key, float]


def samples(families: Iterable[Metric]) -> Samples:
    """By name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def by_label(found: Samples, name: str, label: str) -> dict[str, float]:
    """The samples of a family, by one label; those that have it alike are added."""
    values: dict[str, float] = {}
    for (called, labels), value in found.items():
        if called == name:
            which = dict(labels).get(label, "")
            values[which] = values.get(which, 0.0) + value
    return values


def one(found: Samples, name: str, **labels: str) -> float | None:
    """The one sample of that name and labels."""
    return found.get((name, tuple(sorted(labels.items()))))


def rates(before: Samples, after: Samples, name: str, label: str, seconds: float) -> dict[str, float]:
    """What counters grew by a second, by one label, of those that were there both times and were not reset."""
    earlier, later = by_label(before, name, label), by_label(after, name, label)
    return {
        which: (value - earlier[which]) / seconds
        for which, value in later.items()
        if which in earlier and value >= earlier[which]
    }


def most(values: Mapping[str, float], count: int) -> Sequence[tuple[str, float]]:
    """The largest that are more than nothing."""
    found = sorted(((which, value) for which, value in values.items() if value > 0), key=lambda one: -one[1])
    return found[:count]
