"""The metric families of the docker collector."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from exporter.base.families import Families
from exporter.docker import composelabels
from exporter.docker.container_ends import End
from exporter.docker.container_figures import Figures
from exporter.docker.containers import ListedContainer
from exporter.inventory.docker import Docker

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH_STATES = ("starting", "healthy", "unhealthy", "none")


@dataclass(frozen=True, slots=True)
class Measured:
    """A container with its figures. None: not known."""

    container: ListedContainer
    figures: Figures = field(default_factory=Figures)
    log_bytes: int | None = None
    oom_kills: int | None = None
    end: End = field(default_factory=End)


def engine_families(up: bool, docker: Docker, left_behind: int | None = None) -> Sequence[Metric]:
    """Whether the engine answers, and the limits that hold for all of its containers.

    left_behind: sandboxes that should have ended by now; None where that is not known.
    """
    made = Families("upkeeper_docker")
    made.gauge("up", "Whether the Docker engine answers.").add((), up)
    made.gauge("container_log_warn_bytes", "Size from which the log of a container without a limit is a problem.").add(
        (), int(docker.container_log_warn_bytes)
    )
    made.gauge("container_memory_warn_ratio", "Share of its memory limit from which a container is close to it.").add(
        (), docker.container_memory_warn_ratio
    )
    made.gauge("container_restarts_max", "Restarts that a container may have in 15 minutes.").add(
        (), docker.container_restarts_max
    )
    if left_behind is not None:
        made.gauge("sandboxes_left_behind", "Sandboxes of disaster recovery tests that should have ended by now.").add(
            (), left_behind
        )
    return made.all


def container_families(measured: Sequence[Measured]) -> Sequence[Metric]:
    """How each container fares, and what it uses."""
    made = Families("upkeeper_container", "container")
    _add_states(made, [each.container for each in measured])
    _add_lives(made, measured)
    _add_oom_kills(made, measured)
    _add_logs(made, measured)
    _add_consumption(made, measured)
    return made.all


def _add_states(made: Families, containers: Sequence[ListedContainer]) -> None:
    info = made.info("The `image` of the container as the user wrote it, its `compose_project` and `compose_service`.")
    state = made.states("state", "State of the container.", STATES)
    health = made.states("health", "Health of the container by its own health check; none without one.", HEALTH_STATES)
    restarts = made.gauge(
        "restarts", "Restarts of the container by its restart policy since it was last started by hand."
    )
    for container in containers:
        name = [container.name]
        labels = {"compose_project": composelabels.PROJECT, "compose_service": composelabels.SERVICE}
        facts = {key: container.labels[label] for key, label in labels.items() if label in container.labels}
        info.add(name, {"image": container.inspected.image, **facts})
        state.add(name, container.state)
        health.add(name, container.health)
        restarts.add(name, container.inspected.restarts)


def _add_lives(made: Families, measured: Sequence[Measured]) -> None:
    started = made.gauge("start_timestamp_seconds", "When the container was last started.")
    code = made.gauge(
        "exit_code",
        "Exit code of the container's last exit; kept when it is started again, absent where it is not known.",
    )
    for each in measured:
        name = [each.container.name]
        started.add(name, each.container.inspected.started)
        code.add(name, each.end.exit_code)


def _add_oom_kills(made: Families, measured: Sequence[Measured]) -> None:
    kills = made.counter(
        "oom_kills",
        "OOM kills of processes of the container, across its restarts.",
    )
    killed = made.gauge("oom_killed", "Whether the container is stopped because of an OOM kill.")
    last = made.gauge(
        "oom_timestamp_seconds",
        "When a process of the container was last OOM-killed; kept when the container is started again.",
    )
    for each in measured:
        name = [each.container.name]
        kills.add(name, each.oom_kills)
        killed.add(name, each.container.inspected.oom_killed)
        last.add(name, each.end.oom_at)


def _add_logs(made: Families, measured: Sequence[Measured]) -> None:
    size = made.gauge("log_bytes", "Size of the container's log files, rotated ones included.")
    limit = made.gauge(
        "log_max_bytes", "Total size of the container's log files above which the engine drops the oldest."
    )
    limited = made.gauge(
        "log_limited", "Whether the engine limits the size of the container's log files; absent where it keeps none."
    )
    for each in measured:
        name, config = [each.container.name], each.container.inspected.log
        size.add(name, each.log_bytes)
        limit.add(name, config.max_bytes)
        if config.kept:
            limited.add(name, config.max_bytes is not None)


def _add_consumption(made: Families, measured: Sequence[Measured]) -> None:
    cpu = made.counter("cpu_seconds", "CPU time that the container has used since its start.")
    working_set = made.gauge("memory_working_set_bytes", "Memory that the container uses, without inactive file pages.")
    limit = made.gauge("memory_limit_bytes", "Memory that the container may use.")
    received = made.counter("network_receive_bytes", "Received over the container's own network interfaces.")
    sent = made.counter("network_transmit_bytes", "Sent over the container's own network interfaces.")
    read = made.counter("blkio_read_bytes", "Read by the container from block devices.")
    written = made.counter("blkio_write_bytes", "Written by the container to block devices.")
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
            family.add([each.container.name], value)
