"""What service-restart is."""

from collections.abc import Sequence

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import entries, words


def _restartable(document: Document) -> Sequence[str]:
    """Services that have a container, and those containers: either name will do; and services that have a unit."""
    services = entries(document, "services")
    with_container = [entry for entry in services if entry.get("container")]
    with_unit = [entry for entry in services if entry.get("unit")]
    own = words(entry.get(key) for entry in with_container for key in ("name", "container"))
    return [*own, *words(entry.get("name") for entry in with_unit)]


SERVICE_RESTART = TaskFacts(
    name="service-restart",
    summary="Restarts the container or systemd unit behind a failing service and waits until it is healthy.",
    never=(
        "containers with the keep label (upkeeper.keep)",
        "containers and units that someone stopped or paused, or that have finished",
        "containers and units that die over and over: it says why they do",
        "systemd units that no service names, and those with no failing probe that run",
        "containers with no failing health check or probe, unless they share the network of one that is restarted",
        "containers that could not be started again, as the one whose network they share is gone",
        "containers other than the target's and those that share its network, and data: none is removed or recreated",
    ),
    configured=_restartable,
    disruption="brief",
    discovers=True,
)
