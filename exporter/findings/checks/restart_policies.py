"""Services that stay away after a crash or a reboot."""

from collections.abc import Iterator

from exporter.findings.finding import Finding, Kind, word
from exporter.findings.inputs import Material
from exporter.findings.service import finishing
from exporter.findings.tree import Node


class RestartPolicies:
    """Services that others wait for to finish are meant to end, and are left out."""

    name = "restart-policies"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, material: Material) -> Iterator[Finding]:
        for project in material.projects:
            once = finishing(project.services)
            for name, service in project.services.items():
                if name in once or _restarts(service):
                    continue
                yield Finding(
                    self.name,
                    "warning",
                    word(name),
                    service.place.printable(),
                    f"{word(name)} is not restarted after a crash or a reboot",
                    "set `restart: unless-stopped`",
                )


def _restarts(service: Node) -> bool:
    restart = service.at("restart")
    if restart is not None and restart.text not in ("", "no", "false"):
        return True
    policy = service.at("deploy", "restart_policy")
    condition = policy.at("condition") if policy is not None else None
    return policy is not None and (condition is None or condition.text != "none")
