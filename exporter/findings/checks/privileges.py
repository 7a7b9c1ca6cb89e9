"""Containers that can take over the host."""

import re
from collections.abc import Iterator, Mapping

from exporter.findings.compose_service import mounts
from exporter.findings.compose_tree import Node
from exporter.findings.finding import Finding, Group, Kind, Place, Severity, word
from exporter.findings.inputs import Inputs
from exporter.findings.project import active_services

_CAPABILITIES: Mapping[str, Severity] = {
    "ALL": "critical",
    "DAC_READ_SEARCH": "critical",
    "SYS_ADMIN": "critical",
    "SYS_MODULE": "critical",
    "SYS_RAWIO": "critical",
    "BPF": "warning",
    "NET_ADMIN": "warning",
    "SYS_PTRACE": "warning",
}
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock", "/var/run/docker", "/run/docker")
_ROOTS = frozenset({
    "/", "/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/var", "/var/lib", "/var/lib/docker",
    "/var/run",
})  # fmt: skip
_RAW_DEVICES = re.compile(r"/dev/?|/dev/(mem|kmem|port|kmsg|[sv]d[a-z]+[0-9]*|nvme[0-9].*|dm-[0-9]+|mapper/.*)")
"""Memory and disks of the host: who has them has all that is on it."""
_UNCONFINED = re.compile(r"(seccomp|apparmor)[:=]unconfined")

Matter = tuple[Severity, Place, str, str]
"""Severity, place, what the service has or is, and the remedy."""


class Privileges:
    """Of a service that its profile keeps away, nothing is critical."""

    name = "privileges"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            active = active_services(project, inputs.running)
            for name, service in project.services.items():
                for severity, place, what, remedy in (
                    *_of_keys(service),
                    *_of_capabilities(service),
                    *_of_devices(service),
                    *_of_mounts(service),
                ):
                    groups = (Group(f"{{count}} services, of which each {what}: {{names}}"), _WIDE)
                    message = f"{word(name)} {what}"
                    if severity == "critical" and name not in active:
                        severity = "warning"
                    yield Finding(self.name, severity, word(name), place.printable(), message, remedy, groups)


_WIDE = Group("{count} services can take over the host: {names}")


def _of_keys(service: Node) -> Iterator[Matter]:
    privileged = service.at("privileged")
    if privileged is not None and privileged.true:
        yield (
            "critical",
            privileged.place,
            "is privileged, that is, root on this host",
            "give it only the capability it needs",
        )
    for key, what in (("network_mode", "network"), ("pid", "processes"), ("ipc", "shared memory")):
        node = service.at(key)
        if node is not None and node.text == "host":
            yield "warning", node.place, f"shares the host's {what}", f"remove `{key}: host`"
    options = service.at("security_opt")
    for item in options.items if options is not None else ():
        if _UNCONFINED.fullmatch(item.text.replace(" ", "")):
            yield (
                "warning",
                item.place,
                "runs without one of Docker's confinements",
                "remove it, or use a profile that allows what it needs",
            )
    socket = service.at("use_api_socket")
    if socket is not None and socket.true:
        yield _socket(socket.place)


def _of_capabilities(service: Node) -> Iterator[Matter]:
    capabilities = service.at("cap_add")
    for item in capabilities.items if capabilities is not None else ():
        capability = item.text.upper().removeprefix("CAP_")
        if capability in _CAPABILITIES:
            yield (
                _CAPABILITIES[capability],
                item.place,
                f"has the capability {capability}, which lets it take over the host",
                "drop it",
            )


def _of_devices(service: Node) -> Iterator[Matter]:
    devices = service.at("devices")
    for item in devices.items if devices is not None else ():
        source = item.at("source") if item.mapping else item
        path = source.text.partition(":")[0] if source is not None else ""
        if _RAW_DEVICES.fullmatch(path):
            yield (
                "critical",
                item.place,
                "has a disk or the memory of the host as a device",
                "mount what it needs",
            )
        elif path.startswith("/"):
            yield "info", item.place, "has a device of the host", "keep it if the service needs it"
    rules = service.at("device_cgroup_rules")
    for item in rules.items if rules is not None else ():
        if item.text.startswith("a"):
            yield "critical", item.place, "may use every device of the host", "allow only the one it needs"


def _of_mounts(service: Node) -> Iterator[Matter]:
    for mount in mounts(service):
        source, target = mount.source.rstrip("/") or "/", mount.target.rstrip("/")
        if mount.source and (source.endswith(_SOCKETS) or target.endswith(_SOCKETS)):
            yield _socket(mount.place)
        elif mount.kind == "bind" and source in _ROOTS:
            yield "warning", mount.place, "has a system directory of the host mounted", "mount only what it needs"


def _socket(place: Place) -> Matter:
    return (
        "warning",
        place,
        "has the socket of the container engine, with which it can do anything on this host, read-only or not",
        "put a proxy in between that allows only what it needs, or accept this finding",
    )
