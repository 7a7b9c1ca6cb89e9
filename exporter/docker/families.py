"""The metric families of the docker collector."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)

from exporter.docker import composelabels
from exporter.docker.containers import ListedContainer
from exporter.docker.ends import End
from exporter.docker.figures import Figures
from exporter.inventory.docker import Docker

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH_STATES = ("starting", "healthy", "unhealthy", "none")

_LABELS = ("container",)


@dataclass(frozen=True, slots=True)
class Measured:
    """A container with its figures. None: not known."""

    container: ListedContainer
    figures: Figures = field(default_factory=Figures)
    log_bytes: int | None = None
    oom_kills: int | None = None
    end: End = field(default_factory=End)


def engine_families(up: bool, docker: Docker) -> Sequence[Metric]:
    """Whether the engine answers, and the limits that hold for all of its containers."""
    return [
        GaugeMetricFamily("upkeeper_docker_up", "Whether the Docker engine answers.", value=up),
        GaugeMetricFamily(
            "upkeeper_docker_container_log_warn_bytes",
            "Size from which the log of a container without a limit is a problem.",
            value=int(docker.container_log_warn_bytes),
        ),
        GaugeMetricFamily(
            "upkeeper_docker_container_memory_warn_ratio",
            "Part of its memory limit from which a container is close to it.",
            value=docker.container_memory_warn_ratio,
        ),
        GaugeMetricFamily(
            "upkeeper_docker_container_restarts_max",
            "Restarts that a container may have in 15 minutes.",
            value=docker.container_restarts_max,
        ),
    ]


def container_families(measured: Sequence[Measured]) -> Sequence[Metric]:
    """How each container fares, and what it uses."""
    return [
        *_standing([each.container for each in measured]),
        *_lives(measured),
        *_memory_kills(measured),
        *_logs(measured),
        *_consumption(measured),
    ]


def _standing(containers: Sequence[ListedContainer]) -> Iterator[Metric]:
    info = InfoMetricFamily(
        "upkeeper_container",
        "The `image` of the container as it was asked for, its `compose_project` and `compose_service`.",
        labels=_LABELS,
    )
    state = StateSetMetricFamily("upkeeper_container_state", "State of the container.", labels=_LABELS)
    health = StateSetMetricFamily(
        "upkeeper_container_health", "Health of the container by its own check; none without one.", labels=_LABELS
    )
    restarts = GaugeMetricFamily(
        "upkeeper_container_restarts",
        "Restarts of the container by its restart policy since it was last started by hand.",
        labels=_LABELS,
    )
    for container in containers:
        name = [container.name]
        labels = {"compose_project": composelabels.PROJECT, "compose_service": composelabels.SERVICE}
        facts = {key: container.labels[label] for key, label in labels.items() if label in container.labels}
        info.add_metric(name, {"image": container.inspected.image, **facts})
        state.add_metric(name, {each: each == container.state for each in STATES})
        health.add_metric(name, {each: each == container.health for each in HEALTH_STATES})
        restarts.add_metric(name, container.inspected.restarts)
    yield from (info, state, health, restarts)


def _lives(measured: Sequence[Measured]) -> Iterator[Metric]:
    started = GaugeMetricFamily(
        "upkeeper_container_start_timestamp_seconds", "When the container was last started.", labels=_LABELS
    )
    code = GaugeMetricFamily(
        "upkeeper_container_exit_code",
        "Exit code of the container's last end, also when it was started again; absent where it is not known.",
        labels=_LABELS,
    )
    for each in measured:
        name = [each.container.name]
        if each.container.inspected.started is not None:
            started.add_metric(name, each.container.inspected.started)
        if each.end.exit_code is not None:
            code.add_metric(name, each.end.exit_code)
    yield from (started, code)


def _memory_kills(measured: Sequence[Measured]) -> Iterator[Metric]:
    kills = CounterMetricFamily(
        "upkeeper_container_oom_kills",
        "Processes of the container that the kernel killed for want of memory, over restarts of the container.",
        labels=_LABELS,
    )
    killed = GaugeMetricFamily(
        "upkeeper_container_oom_killed",
        "Whether the container is stopped because the kernel killed a process of it for want of memory.",
        labels=_LABELS,
    )
    last = GaugeMetricFamily(
        "upkeeper_container_oom_timestamp_seconds",
        "When the kernel last killed a process of the container for want of memory, also when it was started again.",
        labels=_LABELS,
    )
    for each in measured:
        name = [each.container.name]
        if each.oom_kills is not None:
            kills.add_metric(name, each.oom_kills)
        killed.add_metric(name, each.container.inspected.oom_killed)
        if each.end.oom_at is not None:
            last.add_metric(name, each.end.oom_at)
    yield from (kills, killed, last)


def _logs(measured: Sequence[Measured]) -> Iterator[Metric]:
    size = GaugeMetricFamily(
        "upkeeper_container_log_bytes", "Size of the container's log files, rotated ones included.", labels=_LABELS
    )
    limit = GaugeMetricFamily(
        "upkeeper_container_log_max_bytes",
        "Size that the container's log files may have together before the engine drops the oldest.",
        labels=_LABELS,
    )
    limited = GaugeMetricFamily(
        "upkeeper_container_log_limited",
        "Whether the engine limits the container's log files; absent where it keeps none.",
        labels=_LABELS,
    )
    for each in measured:
        name, config = [each.container.name], each.container.inspected.log
        if each.log_bytes is not None:
            size.add_metric(name, each.log_bytes)
        if config.max_bytes is not None:
            limit.add_metric(name, config.max_bytes)
        if config.kept:
            limited.add_metric(name, config.max_bytes is not None)
    yield from (size, limit, limited)


def _consumption(measured: Sequence[Measured]) -> Iterator[Metric]:
    def gauge(name: str, documentation: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"upkeeper_container_{name}", documentation, labels=_LABELS)

    def counter(name: str, documentation: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"upkeeper_container_{name}", documentation, labels=_LABELS)

    cpu = counter("cpu_seconds", "CPU time that the container has used since its start.")
    working_set = gauge(
        "memory_working_set_bytes", "Memory that the container uses, without file pages unused for long."
    )
    limit = gauge("memory_limit_bytes", "Memory that the container may use.")
    received = counter("network_receive_bytes", "Received over the container's own network interfaces.")
    sent = counter("network_transmit_bytes", "Sent over the container's own network interfaces.")
    read = counter("blkio_read_bytes", "Read by the container from block devices.")
    written = counter("blkio_write_bytes", "Written by the container to block devices.")
    for each in measured:
        used = each.figures.consumption
        for family, value in (
            (cpu, used.cpu_seconds),
            (working_set, used.memory_working_set),
            (limit, used.memory_limit),
            (received, each.figures.received),
            (sent, each.figures.sent),
            (read, used.io_read),
            (written, used.io_written),
        ):
            if value is not None:
                family.add_metric([each.container.name], value)
    yield from (cpu, working_set, limit, received, sent, read, written)
