"""Services that may take all memory or all processors."""

from collections.abc import Iterator

from exporter.findings.compose_service import finishing
from exporter.findings.compose_tree import Node
from exporter.findings.finding import Finding, Group, Kind, word
from exporter.findings.inputs import Inputs

_MEMORY = "{count} services have no memory limit, so a leak can take down the whole host: {names}"
_PROCESSORS = "{count} services have no CPU limit: {names}"


class Limits:
    """A service without a memory limit can drive the host into the arms of the kernel's OOM killer.

    Services that are meant to end are left out.
    """

    name = "limits"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            once = finishing(project.services)
            lasting = {name: service for name, service in project.services.items() if name not in once}
            memory = Group(_MEMORY, len(lasting))
            processors = Group(_PROCESSORS, len(lasting))
            for name, service in lasting.items():
                place = service.place.printable()
                if not _given(service, ("mem_limit",), ("deploy", "resources", "limits", "memory")):
                    yield Finding(
                        self.name,
                        "warning",
                        word(name),
                        place,
                        f"{word(name)} has no memory limit, so a leak can take down the whole host",
                        "set deploy.resources.limits.memory, or mem_limit",
                        (memory,),
                    )
                if not _given(service, ("cpus",), ("cpu_quota",), ("deploy", "resources", "limits", "cpus")):
                    yield Finding(
                        self.name,
                        "info",
                        word(name),
                        place,
                        f"{word(name)} has no CPU limit",
                        "set deploy.resources.limits.cpus, or cpus",
                        (processors,),
                    )


def _given(service: Node, *paths: tuple[str, ...]) -> bool:
    nodes = [service.at(*path) for path in paths]
    return any(node is not None and node.text not in ("", "0", "0.0") for node in nodes)
