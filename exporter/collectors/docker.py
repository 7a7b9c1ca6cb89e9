"""The Docker engine and its containers: whether it answers, and each container's state, health and restarts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric, StateSetMetricFamily

from exporter.docker_objects import container_name
from exporter.dockerapi import DockerEngine, DockerUnavailable
from exporter.settings.collector import CollectorSettings

if TYPE_CHECKING:
    from docker import APIClient

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 5.0
"""How long the engine may take to answer before it counts as down."""

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH_STATES = ("starting", "healthy", "unhealthy", "none")

Health = Literal["starting", "healthy", "unhealthy", "none"]

# The engine's words for a time of an hour and more, and for a container that never ran.
_STEADY = re.compile(r"\b(hours?|days|weeks|months|years|Created)\b")


@dataclass(frozen=True, slots=True)
class ListedContainer:
    """A container as it is now."""

    id: str
    name: str
    state: str
    health: Health = "none"
    restarts: int = 0
    """By its restart policy, since it was last started by hand."""
    labels: Mapping[str, str] = field(default_factory=dict)


def health_of(status: str) -> Health:
    """Health from the status text of a container listing, as in ``Up 2 hours (healthy)``; none without a check."""
    if "(healthy)" in status:
        return "healthy"
    if "(unhealthy)" in status:
        return "unhealthy"
    return "starting" if "(health: starting)" in status else "none"


class Lister:
    """Lists containers with one request, and inspects only those that may have been restarted since the last time.

    Only an inspection tells the number of restarts. A restart resets the time in the status text, so that a text which
    speaks of hours, and is the same as in the last listing, was not interrupted by one: listings are less than
    an hour apart.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int]] = {}

    def read(self, client: "APIClient") -> list[ListedContainer]:
        """Every container, running or not. Blocks."""
        from docker.errors import NotFound

        found: list[ListedContainer] = []
        known: dict[str, tuple[str, int]] = {}
        entries: list[dict[str, Any]] = client.containers(all=True)
        for entry in entries:
            key, status = entry["Id"], entry.get("Status") or ""
            before, restarts = self._known.get(key, ("", 0))
            if status != before or not _STEADY.search(status):
                try:
                    restarts = client.inspect_container(key).get("RestartCount") or 0
                except NotFound:
                    continue
            known[key] = (status, restarts)
            found.append(
                ListedContainer(
                    id=key,
                    name=container_name(entry),
                    state=entry.get("State") or "",
                    health=health_of(status),
                    restarts=restarts,
                    labels=entry.get("Labels") or {},
                )
            )
        self._known = known
        return found


class DockerCollector:
    """An engine that is stopped or hangs is no failure of the collector, but ``upkeeper_docker_up`` 0.

    engine: gives up by itself before the collector's deadline; see ANSWER_SECONDS.
    """

    name = "docker"

    def __init__(self, engine: DockerEngine, settings: CollectorSettings) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self.containers: Sequence[ListedContainer] = ()
        """As of the last time the engine answered."""
        self.up: bool | None = None
        """Whether the engine answered the last time; None before the first."""
        self._engine = engine
        self._lister = Lister()

    async def collect(self) -> Sequence[Metric]:
        try:
            self.containers = await self._engine.call(partial(Lister.read, self._lister))
        except DockerUnavailable as error:
            if self.up is not False:
                log.warning("docker engine unavailable", reason=str(error))
            self.up = False
            return [_up(False)]
        if self.up is False:
            log.info("docker engine answers again")
        self.up = True
        return [_up(True), *_families(self.containers)]


def _up(up: bool) -> Metric:
    return GaugeMetricFamily("upkeeper_docker_up", "Whether the Docker engine answers.", value=up)


def _families(containers: Sequence[ListedContainer]) -> Sequence[Metric]:
    labels = ["container"]
    state = StateSetMetricFamily("upkeeper_container_state", "State of the container.", labels=labels)
    health = StateSetMetricFamily(
        "upkeeper_container_health", "Health of the container by its own check; none without one.", labels=labels
    )
    restarts = GaugeMetricFamily(
        "upkeeper_container_restarts",
        "Restarts of the container by its restart policy since it was last started by hand.",
        labels=labels,
    )
    for container in containers:
        state.add_metric([container.name], {name: name == container.state for name in STATES})
        health.add_metric([container.name], {name: name == container.health for name in HEALTH_STATES})
        restarts.add_metric([container.name], container.restarts)
    return state, health, restarts
