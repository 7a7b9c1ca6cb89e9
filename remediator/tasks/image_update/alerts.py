"""What fires of a service, by Alertmanager: asked before an update and after it, and compared."""

from collections.abc import Collection, Mapping

from exporter.base.errors import UpkeeperError
from remediator.model.task import CONTAINER_LABELS
from remediator.peers.alertmanager import KnownAlert
from remediator.peers.places import Peers

_COMPOSE_LABELS = frozenset({
    "container_label_com_docker_compose_service", "compose_service", "service", "service_name", "target", "job",
})  # fmt: skip
_PROJECT_LABELS = ("container_label_com_docker_compose_project", "compose_project")


def concerns(labels: Mapping[str, str], containers: Collection[str], project: str, services: Collection[str]) -> bool:
    """Whether an alert is about a service. containers: the names of those that it has.

    services: its names, in Compose and in the config. Pure.
    """
    if any(labels.get(name) not in (None, project) for name in _PROJECT_LABELS):
        return False
    if any(labels.get(name) in containers for name in CONTAINER_LABELS):
        return True
    return any(labels.get(name) in services for name in _COMPOSE_LABELS)


class Alerts:
    """Asks the Alertmanagers that are known."""

    def __init__(self, peers: Peers | None) -> None:
        self._peers = peers

    async def firing(
        self, containers: Collection[str], project: str, services: Collection[str]
    ) -> dict[str, str] | str:
        """What fires of a service, silenced or not: the names of the alerts by fingerprint. Else why nobody tells."""
        if self._peers is None:
            return "no Alertmanager is known"
        found: dict[str, KnownAlert] = {}
        answered, why = False, ""
        try:
            for url in self._peers.urls("alertmanager"):
                try:
                    async with self._peers.alertmanager(url) as alertmanager:
                        found |= {one.fingerprint: one for one in await alertmanager.alerts()}
                    answered = True
                except UpkeeperError as error:
                    why = str(error)
        except UpkeeperError as error:
            why = str(error)
        if not answered:
            return why
        return {
            fingerprint: alert.labels.get("alertname", fingerprint)
            for fingerprint, alert in found.items()
            if concerns(alert.labels, containers, project, services)
        }
