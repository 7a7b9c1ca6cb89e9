"""Secrets that stand in a Compose file, and so in its history, its backups and every copy of it."""

import re
from collections.abc import Iterator

from exporter.findings.finding import Finding, Kind, Place, secret_name, word
from exporter.findings.inputs import Material
from exporter.findings.tree import Node

_HARMLESS = re.compile(r"(?i)|none|null|no|yes|true|false|on|off|disabled?|enabled?|optional|required|[0-9]{1,4}|/.*")
_IN_URL = re.compile(r"://[^/@\s:]*:[^/@\s$]+@")
_DEFAULT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?-([^}$]*)\}")


class PlainSecrets:
    """Variables with the name of a secret and a value or default that is written out, and passwords within URLs."""

    name = "plain-secrets"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, material: Material) -> Iterator[Finding]:
        for project in material.projects:
            for service_name, service in project.services.items():
                for section in (("environment",), ("build", "args")):
                    node = service.at(*section)
                    for name, value in node.mapping.items() if node is not None else ():
                        if _secret(name, value):
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
        )


def _secret(name: str, value: Node) -> bool:
    if _IN_URL.search(value.written):
        return True
    if not secret_name(name):
        return False
    texts = [value.text] if value.literal else _DEFAULT.findall(value.written)
    return any(not _HARMLESS.fullmatch(text.strip()) for text in texts)
