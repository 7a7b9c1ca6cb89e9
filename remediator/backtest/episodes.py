"""Episodes of alerts from samples of ALERTS, as they come in chunks of time. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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


@dataclass
class Joiner:
    """Makes episodes of samples. step: seconds between samples. It remembers what is open, and no samples."""

    step: float
    external: Mapping[str, str] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)
    _open: dict[Labels, _Open] = field(default_factory=dict)

    def add(self, series: Mapping[str, str], times: Iterable[float], gaps: Sequence[Gap]) -> None:
        """Samples of one series, oldest first, later than those before. gaps: those of the time since, oldest first.

        Without a sample the alert did not fire, unless nothing is known of the time: then it may be one outage.
        """
        labels = alert_labels(series, self.external)
        current = self._open.get(labels)
        for at in times:
            late = current is not None and at - current.last > 1.5 * self.step
            if late and current is not None and _known(current.last, at, gaps, self.step):
                self._close(labels, current)
                current = None
            if current is None:
                current = _Open(at, at)
            current.last = at
        if current is not None:
            self._open[labels] = current

    def finish(self, until: float) -> list[Episode]:
        """All episodes, by their begin."""
        for labels, current in self._open.items():
            still = until - current.last <= 1.5 * self.step
            self._close(labels, current, still=still)
        self._open = {}
        return sorted(self.episodes, key=lambda one: (one.begins, sorted(one.labels.items())))

    def _close(self, labels: Labels, current: _Open, *, still: bool = False) -> None:
        ends = None if still else current.last + self.step
        self.episodes.append(Episode(dict(labels), current.begins, ends))


def _known(last: float, at: float, gaps: Sequence[Gap], step: float) -> bool:
    """Whether anything is known of the time between two samples, but for a step before and after a gap."""
    blind = sum(max(0.0, min(at, gap.ends + step) - max(last, gap.begins - step)) for gap in gaps)
    return blind < (at - last) - 1.5 * step
