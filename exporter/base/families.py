"""Metric families of one subject: the one way in which they are made.

A value of None gives no sample: what could not be measured is absent, never 0. Families without samples are returned
too: docs/metrics.md is made of what they say of themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)

M = TypeVar("M", bound=Metric)

Labels = Sequence[str]
"""The values of a sample's labels."""


class Numbers:
    """A gauge or counter."""

    def __init__(self, metric: CounterMetricFamily | GaugeMetricFamily) -> None:
        self._metric = metric

    def add(self, labels: Labels, value: float | None) -> None:
        """Adds a sample, unless the value is not known."""
        if value is not None:
            self._metric.add_metric(labels, value)

    def add_all(self, samples: Iterable[tuple[Labels, float | None]]) -> None:
        """Adds those samples whose value is known."""
        for labels, value in samples:
            self.add(labels, value)


class Info:
    """An info family: texts as labels."""

    def __init__(self, metric: InfoMetricFamily) -> None:
        self._metric = metric

    def add(self, labels: Labels, facts: Mapping[str, str]) -> None:
        self._metric.add_metric(labels, dict(facts))


class States:
    """A state set: 1 for the state that a thing is in, 0 for each of the others."""

    def __init__(self, metric: StateSetMetricFamily, states: Sequence[str]) -> None:
        self._metric = metric
        self._states = states

    def add(self, labels: Labels, state: str | None) -> None:
        """Adds the samples of a thing, unless its state is not known."""
        if state is not None:
            self._metric.add_metric(labels, {each: each == state for each in self._states})


class Families:
    """Makes families. all: those made so far, in that order.

    prefix: what their names begin with. labels: what all of them have first.
    """

    def __init__(self, prefix: str, *labels: str) -> None:
        self.all: list[Metric] = []
        self._prefix = prefix
        self._labels = labels

    def gauge(self, name: str, documentation: str, *labels: str) -> Numbers:
        return Numbers(self._made(GaugeMetricFamily(self._name(name), documentation, labels=self._all(labels))))

    def counter(self, name: str, documentation: str, *labels: str) -> Numbers:
        """name: without ``_total``."""
        return Numbers(self._made(CounterMetricFamily(self._name(name), documentation, labels=self._all(labels))))

    def info(self, documentation: str, *labels: str) -> Info:
        """The family ``<prefix>_info``."""
        return Info(self._made(InfoMetricFamily(self._prefix, documentation, labels=self._all(labels))))

    def states(self, name: str, documentation: str, states: Sequence[str], *labels: str) -> States:
        family = StateSetMetricFamily(self._name(name), documentation, labels=self._all(labels))
        return States(self._made(family), states)

    def _name(self, name: str) -> str:
        return f"{self._prefix}_{name}"

    def _all(self, labels: Sequence[str]) -> Sequence[str]:
        return (*self._labels, *labels)

    def _made(self, family: M) -> M:
        self.all.append(family)
        return family
