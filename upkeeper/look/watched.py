"""What the exporter measures, each thing with its limit: the state of all that is watched. Pure.

It compares what the alert rules compare, without their patience: a thing is over its limit here before its alert fires.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from exporter.base.units import format_bytes, format_duration

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

WatchedState = Literal["critical", "warning", "ok"]
_ORDER: Mapping[str, int] = {"critical": 0, "warning": 1, "ok": 2}
_COARSE = 60
_WRONG_STATES = frozenset({"restarting", "dead"})
"""Of a container. One that has ended may have been meant to."""


class WatchedView(TypedDict):
    """One thing that is watched."""

    kind: str
    name: str
    state: WatchedState
    detail: str


@dataclass(frozen=True)
class _Figures:
    """Samples by metric, and by the value of the label that names the thing; with ``now`` in Unix seconds."""

    now: float
    samples: "Mapping[str, list[Sample]]" = field(default_factory=dict)

    def of(self, metric: str, label: str) -> dict[str, float]:
        return {sample.labels.get(label, ""): sample.value for sample in self.samples.get(f"upkeeper_{metric}", ())}

    def age(self, moment: float) -> str:
        seconds = max(0.0, self.now - moment)
        return format_duration(seconds // _COARSE * _COARSE if seconds >= _COARSE else int(seconds))


def watched(samples: "Iterable[Sample]", now: float) -> list[WatchedView]:
    """All that is watched, the worst first, beside the services, which a health-check asks. now: Unix seconds."""
    by_metric: dict[str, list[Sample]] = {}
    for sample in samples:
        by_metric.setdefault(sample.name, []).append(sample)
    figures = _Figures(now, by_metric)
    found = [view for kind in _KINDS for view in kind(figures)]
    return sorted(found, key=lambda view: _ORDER[view["state"]])


def _view(kind: str, name: str, state: WatchedState, detail: str) -> WatchedView:
    return {"kind": kind, "name": name, "state": state, "detail": detail}


def _filesystems(figures: _Figures) -> Iterator[WatchedView]:
    size, avail, warn, critical, readonly, error = (
        figures.of(f"filesystem_{name}", "mountpoint")
        for name in ("size_bytes", "avail_bytes", "warn_used_ratio", "critical_used_ratio", "readonly", "device_error")
    )
    for name in {**size, **error}:
        if error.get(name):
            yield _view("file system", name, "critical", "does not answer")
        elif size.get(name):
            used = 1 - avail.get(name, 0.0) / size[name]
            limit = critical if used >= critical.get(name, 2.0) else warn
            over = used >= limit.get(name, 2.0) and not readonly.get(name)
            detail = f"{used:.1%} of {format_bytes(size[name])} used"
            if over:
                detail += f", limit {limit[name]:.0%}"
            yield _view("file system", name, ("critical" if limit is critical else "warning") if over else "ok", detail)


def _logs(figures: _Figures) -> Iterator[WatchedView]:
    used, limit = figures.of("log_allocated_bytes", "directory"), figures.of("log_max_bytes", "directory")
    for name, up in figures.of("log_directory_up", "directory").items():
        if not up:
            yield _view("log directory", name, "warning", "is missing or cannot be read")
            continue
        over = used.get(name, 0.0) > limit.get(name, float("inf"))
        detail = f"{format_bytes(used.get(name, 0.0))} of {format_bytes(limit[name])}" if name in limit else ""
        yield _view("log directory", name, "warning" if over else "ok", detail)


def _backups(figures: _Figures) -> Iterator[WatchedView]:
    last, limit, sets = (
        figures.of(f"backup_{name}", "backup") for name in ("last_success_timestamp_seconds", "max_age_seconds", "sets")
    )
    unproven = [name for name, good in figures.of("backup_verify_success", "backup").items() if not good]
    for name, up in figures.of("backup_up", "backup").items():
        if not up:
            yield _view("backup", name, "critical", "cannot be read, so it is not known whether one exists")
        elif not sets.get(name) or name not in last:
            yield _view("backup", name, "critical", "there is no set")
        elif figures.now - last[name] > limit.get(name, float("inf")):
            detail = f"the newest set is {figures.age(last[name])} old, limit {format_duration(limit[name])}"
            yield _view("backup", name, "critical", detail)
        elif name in unproven:
            yield _view("backup", name, "critical", "the last verification failed")
        else:
            yield _view("backup", name, "ok", f"the newest set is {figures.age(last[name])} old")


def _certificates(figures: _Figures) -> Iterator[WatchedView]:
    limits = {_probe(sample): sample.value for sample in _all(figures, "probe_tls_min_validity_seconds")}
    for sample in _all(figures, "probe_tls_not_after_timestamp_seconds"):
        name, left = _probe(sample), sample.value - figures.now
        if left <= 0:
            yield _view("certificate", name, "critical", f"expired {figures.age(sample.value)} ago")
        else:
            state: WatchedState = "warning" if left < limits.get(name, 0.0) else "ok"
            yield _view("certificate", name, state, f"expires in {format_duration(left // _COARSE * _COARSE)}")


def _all(figures: _Figures, metric: str) -> "list[Sample]":
    return figures.samples.get(f"upkeeper_{metric}", [])


def _probe(sample: "Sample") -> str:
    return f"{sample.labels.get('target', '')}/{sample.labels.get('probe', '')}"


def _servers(kind: str, metric: str) -> Callable[[_Figures], Iterator[WatchedView]]:
    def servers(figures: _Figures) -> Iterator[WatchedView]:
        for name, up in figures.of(metric, "server").items():
            yield _view(
                kind, name, "ok" if up else "critical", "answers" if up else "does not answer, or refuses the login"
            )

    return servers


def _containers(figures: _Figures) -> Iterator[WatchedView]:
    killed = figures.of("container_oom_killed", "container")
    for sample in _all(figures, "container_state"):
        if not sample.value:
            continue
        name, state = sample.labels.get("container", ""), sample.labels.get("upkeeper_container_state", "")
        if killed.get(name):
            yield _view("container", name, "warning", f"{state}; it was OOM-killed")
        else:
            yield _view("container", name, "warning" if state in _WRONG_STATES else "ok", state)


def _units(figures: _Figures) -> Iterator[WatchedView]:
    for sample in _all(figures, "host_systemd_failed_units"):
        count = int(sample.value)
        yield _view("systemd", "units", "warning" if count else "ok", f"{count} failed")


def _collectors(figures: _Figures) -> Iterator[WatchedView]:
    last = figures.of("collector_last_success_timestamp_seconds", "collector")
    for name, good in figures.of("collector_success", "collector").items():
        if good:
            yield _view("collector", name, "ok", "")
            continue
        since = f"its figures are {figures.age(last[name])} old" if name in last else "there are no figures"
        yield _view("collector", name, "warning", f"fails: {since}")


_KINDS: tuple[Callable[[_Figures], Iterator[WatchedView]], ...] = (
    _filesystems,
    _backups,
    _servers("PostgreSQL server", "postgres_up"),
    _servers("Neo4j server", "neo4j_up"),
    _certificates,
    _containers,
    _logs,
    _units,
    _collectors,
)
