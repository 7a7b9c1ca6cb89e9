"""Containers that can take over the host."""

from collections.abc import Iterator, Mapping

from exporter.findings.finding import Finding, Kind, Place, Severity, word
from exporter.findings.inputs import Material
from exporter.findings.service import mounts
from exporter.findings.tree import Node

_CAPABILITIES: Mapping[str, Severity] = {
    "SYS_ADMIN": "critical",
    "ALL": "critical",
    "SYS_MODULE": "critical",
    "SYS_PTRACE": "warning",
}
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
_ROOTS = frozenset({"/", "/etc", "/root", "/boot", "/proc", "/sys", "/var/run", "/run", "/var/lib/docker"})


class Privileges:
    name = "privileges"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, material: Material) -> Iterator[Finding]:
        for project in material.projects:
            for name, service in project.services.items():
                for severity, place, what, remedy in (*_of_keys(service), *_of_mounts(service)):
                    where = place.printable()
                    yield Finding(self.name, severity, word(name), where, f"{word(name)} {what}", remedy)


def _of_keys(service: Node) -> Iterator[tuple[Severity, Place, str, str]]:
    privileged = service.at("privileged")
    if privileged is not None and privileged.true:
        yield (
            "critical",
            privileged.place,
            "is privileged: it is root on this host",
            "give it the one capability it needs",
        )
    capabilities = service.at("cap_add")
    for item in capabilities.items if capabilities is not None else ():
        capability = item.text.upper().removeprefix("CAP_")
        if capability in _CAPABILITIES:
            yield (
                _CAPABILITIES[capability],
                item.place,
                f"has the capability {capability}, by which it can get at the host",
                "drop it",
            )
    for key, what in (("network_mode", "network"), ("pid", "processes"), ("ipc", "shared memory")):
        node = service.at(key)
        if node is not None and node.text == "host":
            yield "warning", node.place, f"shares the host's {what}", f"remove `{key}: host`"


def _of_mounts(service: Node) -> Iterator[tuple[Severity, Place, str, str]]:
    for mount in mounts(service):
        if mount.source.endswith(_SOCKETS):
            yield (
                "warning",
                mount.place,
                "has the socket of the container engine, by which it can do anything on this host; read-only or not",
                "put a proxy between that allows only what it needs, or accept this finding",
            )
        elif mount.kind == "bind" and (mount.source.rstrip("/") or "/") in _ROOTS:
            yield "warning", mount.place, "has a system directory of the host mounted", "mount only what it needs"
