"""What the services of a project name of each other and of its other sections."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.findings.compose_service import mounts
from exporter.findings.compose_tree import Node
from exporter.findings.finding import Place
from exporter.findings.project import Project

Declared = Mapping[str, frozenset[str]]
"""The names that a project has, by section."""

_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a service uses. kind: ``service``, ``network``, ``volume``, ``secret``, ``config`` or ``model``."""

    place: Place
    kind: str
    name: str
    optional: bool = False
    """Whether its profile may keep it away; it must be declared all the same."""


def references(service: Node) -> Iterator[Reference]:
    """Everything that a service names and cannot do without."""
    yield from needed_services(service)
    networks = service.at("networks")
    for network, node in networks.mapping.items() if networks is not None else ():
        if network != "default":
            yield Reference(node.place, "network", network)
    for mount in mounts(service):
        if mount.kind == "volume" and mount.source and "/" not in mount.source:
            yield Reference(mount.place, "volume", mount.source)
    for path, kind in ((("secrets",), "secret"), (("configs",), "config"), (("build", "secrets"), "secret")):
        listed = service.at(*path)
        for item in listed.items if listed is not None else ():
            source = item.at("source") if item.mapping else item
            if source is not None and source.text:
                yield Reference(item.place, kind, source.text)
    models = service.at("models")
    if models is not None:
        names = models.mapping or {item.text: item for item in models.items}
        for name, node in names.items():
            yield Reference(node.place, "model", name)


def needed_services(service: Node) -> Iterator[Reference]:
    """The services that Compose starts before this one."""
    depends = service.at("depends_on")
    for other, node in depends.mapping.items() if depends is not None else ():
        required = node.at("required")
        yield Reference(node.place, "service", other, required is not None and not required.true)
    for key in ("links", "volumes_from"):
        listed = service.at(key)
        for item in listed.items if listed is not None else ():
            if item.text and not item.text.startswith("container:"):
                yield Reference(item.place, "service", item.text.partition(":")[0])
    for key in _NAMESPACES:
        mode = service.at(key)
        if mode is not None and mode.text.startswith("service:"):
            yield Reference(mode.place, "service", mode.text.removeprefix("service:"))


def declared(project: Project) -> Declared:
    """What a project has."""
    sections = ("networks", "volumes", "secrets", "configs", "models")
    nodes = {section: project.top.get(section) for section in sections}
    names = {
        section.removesuffix("s"): frozenset(node.mapping if node is not None else ())
        for section, node in nodes.items()
    }
    return {**names, "service": frozenset(project.services)}


def circle(services: Mapping[str, Node]) -> list[str]:
    """Services that wait for each other in a circle, in its order; empty where there is none."""
    waits = {
        name: [each.name for each in needed_services(one) if each.name in services] for name, one in services.items()
    }
    done: set[str] = set()
    for start in services:
        if start in done:
            continue
        path, steps = [start], [iter(waits[start])]
        on_path = {start}
        while steps:
            following = next(steps[-1], None)
            if following is None:
                steps.pop()
                on_path.discard(path[-1])
                done.add(path.pop())
            elif following in on_path:
                return path[path.index(following) :]
            elif following not in done:
                path.append(following)
                on_path.add(following)
                steps.append(iter(waits[following]))
    return []
