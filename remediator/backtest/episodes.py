"""Episodes of alerts from samples of ALERTS, as they come in chunks of time. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import sub
from statistics import median

Labels = tuple[tuple[str, str], ...]

OF_THE_SERIES = ("__name__", "alertstate")
"""Labels of the series ALERTS that the alert itself does not have."""


@dataclass(frozen=True)
class Gap:
    """A time of which Prometheus knows nothing, in Unix seconds."""

    begins: float
    ends: float

    @property
    def seconds(self) -> float:
        return self.ends - self.begins


@dataclass(frozen=True)
class Episode:
    """An alert from when it began to fire until it no longer did; ends is None where it still fires at the end."""

    labels: Mapping[str, str]
    begins: float
    ends: float | None

    def across(self, gap: Gap) -> bool:
        """Whether it fired before and after a gap, of which nobody knows whether it did in between."""
        return self.begins < gap.begins and (self.ends is None or self.ends > gap.ends)


def alert_labels(series: Mapping[str, str], external: Mapping[str, str]) -> Labels:
    """The labels as Alertmanager gets them: Prometheus's external ones too, but for those that the alert has itself."""
    own = {name: value for name, value in series.items() if name not in OF_THE_SERIES}
    return tuple(sorted({**external, **own}.items()))


@dataclass
class _Open:
    begins: float
    last: float
    interval: float


@dataclass
class Joiner:
    """Makes episodes of samples. It remembers what is open, and no samples.

    interval: seconds between evaluations. That of an alert's own rule may be longer, which its samples tell.
    """

    interval: float
    external: Mapping[str, str] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)
    _open: dict[Labels, _Open] = field(default_factory=dict)

    def add(self, series: Mapping[str, str], times: Sequence[float], gaps: Sequence[Gap]) -> None:
        """Samples of one series, oldest first; those that were there before are left out.

        Without a sample the alert did not fire, unless nothing is known of the time: then it may be one outage. gaps:
        all that are known, oldest first.
        """
        labels = alert_labels(series, self.external)
        current = self._open.get(labels)
        interval = max(self.interval, _usual(times))
        for at in times:
            if current is not None and at <= current.last:
                continue
            if current is not None and at - current.last > 1.5 * interval and _known(current, at, gaps):
                self._close(labels, current)
                current = None
            if current is None:
                current = _Open(at, at, interval)
            current.last, current.interval = at, interval
        if current is not None:
            self._open[labels] = current

    def finish(self, until: float) -> list[Episode]:
        """All episodes, by their begin."""
        for labels, current in self._open.items():
            still = until - current.last <= 1.5 * current.interval
            self._close(labels, current, still=still)
        self._open = {}
        return sorted(self.episodes, key=lambda one: (one.begins, sorted(one.labels.items())))

    def _close(self, labels: Labels, current: _Open, *, still: bool = False) -> None:
        ends = None if still else current.last + current.interval
        self.episodes.append(Episode(dict(labels), current.begins, ends))


def _usual(times: Sequence[float]) -> float:
    """The usual seconds between samples, however often the alert came and went; 0 where there are too few to tell."""
    return median(map(sub, times[1:], times)) if len(times) > 2 else 0.0


def _known(current: _Open, at: float, gaps: Sequence[Gap]) -> bool:
    """Whether anything is known of the time between two samples, but for an evaluation before and after a gap."""
    last, edge = current.last, current.interval
    blind = sum(max(0.0, min(at, gap.ends + edge) - max(last, gap.begins - edge)) for gap in gaps)
    return blind < (at - last) - 1.5 * edge
