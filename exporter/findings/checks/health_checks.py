"""Services of which Docker cannot tell whether they work."""

from collections.abc import Iterator

from exporter.findings.compose_service import finishing
from exporter.findings.compose_tree import Node
from exporter.findings.finding import Finding, Group, Kind, word
from exporter.findings.inputs import Inputs


class HealthChecks:
    """An image may bring a health check of its own. A Compose file does not tell that, but a running container does."""

    name = "health-checks"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            once = finishing(project.services)
            total = len(project.services.keys() - once)
            for name, service in project.services.items():
                check = service.at("healthcheck")
                if name in once or (check is not None and not _off(check)):
                    continue
                if check is None and (project.files[0], name) in inputs.health_checked:
                    continue
                node = check or service
                yield Finding(
                    self.name,
                    "warning",
                    word(name),
                    node.place.printable(),
                    f"{word(name)} has {'its health check switched off' if check else 'no health check'}, so"
                    " nothing notices when it hangs",
                    "add a healthcheck, or accept this finding if its image has one",
                    (Group("{count} services have no health check, or one that is switched off: {names}", total),),
                )


def _off(check: Node) -> bool:
    disable, test = check.at("disable"), check.at("test")
    if disable is not None and disable.true:
        return True
    return test is not None and (test.items[0].text if test.items else test.text).upper() == "NONE"
