"""What Prometheus remembers of this host's sinks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exporter.base.text import counted
from exporter.inventory.inventory import DRILL_DIRECTORY
from remediator.model.task import TaskError
from remediator.peers.prometheus import Prometheus, Sample, Series
from remediator.tasks.capacity_planning.sinks import AVAILABLE, BOOTS, EXPORTERS, KINDS, Kind

STEP = 3600.0
"""Seconds between the samples that are asked for: each the highest of the hour before."""


class Scraped(NamedTuple):
    """Labels by which Prometheus tells one exporter's series from another's."""

    job: str
    instance: str


@dataclass(frozen=True)
class Sink:
    """A sink with its history. samples: (Unix seconds, value in the kind's unit). limit: None without one."""

    name: str
    kind: Kind
    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]
    limit: float | None


@dataclass(frozen=True)
class History:
    """available: bytes that are free now, by mount point."""

    sinks: Sequence[Sink]
    available: Mapping[str, float]


async def exporter_of_this_host(prometheus: Prometheus, booted_at: float, now: float) -> Scraped | None:
    """Whose series are this host's; None where Prometheus knows no exporter of ours. booted_at, now: Unix
    seconds.

    Of several it is the one that runs since the same boot. Raises PeerError, and TaskError where that is not one.
    """
    known = {_who(sample) for sample in await prometheus.instant(EXPORTERS, now)}
    if len(known) <= 1:
        return next(iter(known), None)
    boots = await prometheus.instant(BOOTS, now)
    same = [_who(sample) for sample in boots if abs(sample.value - booted_at) <= 2.0]
    if len(same) == 1:
        return same[0]
    raise TaskError(
        f"Prometheus knows {counted(len(known), 'exporter')} of Upkeeper, and {len(same) or 'none'} of them since this "
        "host's boot: which is this host's cannot be told (upkeeper_host_boot_timestamp_seconds)"
    )


async def read(prometheus: Prometheus, who: Scraped, since: float, now: float) -> History:
    """The history of each sink that is there now. Times are Unix seconds. Raises PeerError."""
    sinks: list[Sink] = []
    for kind in KINDS:
        limits = {}
        if kind.limit:
            limits = {
                _name(kind, one.labels): one.value for one in await prometheus.instant(kind.limit, now) if _is(one, who)
            }
        for series in await prometheus.range(kind.used, since, now, STEP):
            name = _name(kind, series.labels)
            gone = kind.limit and name not in limits
            drill = series.labels.get("directory") == DRILL_DIRECTORY  # there for the minutes of a drill
            if _who(series) != who or gone or drill or not series.samples:
                continue
            sinks.append(_sink(kind, name, series.labels, series.samples, limits.get(name)))
    found = [one for one in await prometheus.instant(AVAILABLE, now) if _is(one, who)]
    return History(sinks, {one.labels.get("mountpoint", ""): one.value for one in found})


def _sink(
    kind: Kind, name: str, labels: Mapping[str, str], samples: Sequence[tuple[float, float]], limit: float | None
) -> Sink:
    """Of room that must stay, used is what there was at most, less what there is. Pure."""
    if kind.room and limit is not None:
        most = max(value for _, value in samples)
        return Sink(name, kind, labels, [(at, most - value) for at, value in samples], most - limit)
    return Sink(name, kind, labels, samples, limit)


def mount_of(path: str, mountpoints: Sequence[str]) -> str | None:
    """The mount point below which a path lies; None where none of them is. Pure."""
    above = [one for one in mountpoints if one == "/" or path == one or path.startswith(f"{one.rstrip('/')}/")]
    return max(above, key=len, default=None)


def _name(kind: Kind, labels: Mapping[str, str]) -> str:
    values = [labels.get(label, "") for label in kind.labels]
    return f"{kind.name}:{'/'.join(values)}" if values else kind.name


def _who(one: Sample | Series) -> Scraped:
    return Scraped(one.labels.get("job", ""), one.labels.get("instance", ""))


def _is(one: Sample, who: Scraped) -> bool:
    return _who(one) == who
