"""Services that stay away after a crash or a reboot."""

from collections.abc import Iterator

from exporter.findings.compose_service import finishing, restarts
from exporter.findings.finding import Finding, Group, Kind, word
from exporter.findings.inputs import Inputs


class RestartPolicies:
    """Services that are meant to end are left out."""

    name = "restart-policies"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            once = finishing(project.services)
            total = len(project.services.keys() - once)
            for name, service in project.services.items():
                if name in once or restarts(service):
                    continue
                yield Finding(
                    self.name,
                    "warning",
                    word(name),
                    service.place.printable(),
                    f"{word(name)} is not restarted after a crash or a reboot",
                    "set `restart: unless-stopped`",
                    (Group("{count} services are not restarted after a crash or a reboot: {names}", total),),
                )
