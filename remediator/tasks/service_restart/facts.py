"""What service-restart is."""

from collections.abc import Sequence

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import entries, words


def _restartable(document: Document) -> Sequence[str]:
    """Services that have a container, and those containers: either name will do."""
    with_container = [entry for entry in entries(document, "services") if entry.get("container")]
    return words(entry.get(key) for entry in with_container for key in ("name", "container"))


SERVICE_RESTART = TaskFacts(
    name="service-restart",
    summary="Restarts the container behind a failing service and waits until it is healthy.",
    never=(
        "containers with the keep label (upkeeper.keep)",
        "containers that someone stopped or paused, or that have finished",
        "containers with no failing health check or probe, unless they share the network of one that is restarted",
        "containers that could not be started again, as the one whose network they share is gone",
        "containers other than the target's and those that share its network, and data: none is removed or recreated",
    ),
    configured=_restartable,
    disruption="brief",
    discovers=True,
)
