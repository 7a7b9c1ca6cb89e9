"""Secrets that stand in a Compose file, and so in its history, its backups and every copy of it."""

import re
from collections.abc import Iterator

from exporter.findings.compose_tree import Node
from exporter.findings.finding import Finding, Group, Kind, Place, word
from exporter.findings.inputs import Inputs
from exporter.findings.interpolate import ELSEWHERE
from exporter.findings.secretnames import secret_in_url, secret_name

_HARMLESS = re.compile(
    r"(?i)|none|null|no|yes|true|false|on|off|disabled?|enabled?|optional|required|invalid|[0-9]{1,4}|/.*"
)
_GROUP = Group("{places} secrets are written out in the Compose file: of {names}")


class PlainSecrets:
    """Variables with the name of a secret whose value, or default that is used, is written out; passwords in URLs."""

    name = "plain-secrets"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            seen: set[Place] = set()
            for service_name, service in project.services.items():
                for section in (("environment",), ("build", "args")):
                    node = service.at(*section)
                    for name, value in node.mapping.items() if node is not None else ():
                        if value.place not in seen and _secret(name, value):
                            seen.add(value.place)  # one line may be part of many services
                            yield self._finding(service_name, name, value.place)

    def _finding(self, service: str, name: str, place: Place) -> Finding:
        return Finding(
            self.name,
            "warning",
            word(service),
            place.printable(),
            f"{word(name)} of {word(service)} is written out in the Compose file",
            f"write ${{{name}}} and put the value into .env, or use `secrets:`"
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
            else "put the value into .env, or use `secrets:`",
            (_GROUP,),
        )


def _secret(name: str, value: Node) -> bool:
    """By what is in force: a default that is not used tells nobody anything."""
    if secret_in_url(value.own):
        return True
    return secret_name(name) and ELSEWHERE not in value.own and not _HARMLESS.fullmatch(value.own.strip())
