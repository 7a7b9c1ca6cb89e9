"""What a service of a Compose file says of its ports, mounts, image and limits, whichever way it is written."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.findings.compose_tree import Node
from exporter.findings.finding import Place

_SHORT_PORT = re.compile(
    r"(?:(?:(?P<ip>.*):)?(?P<published>[0-9-]*):)?(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?:tcp|udp|sctp)?)?", re.IGNORECASE
)
_PUBLISHED = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?")
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Port:
    """Ports of a container that the host publishes. An empty ``host_ip`` means every address of the host.

    published: the host's own ports as they are written; empty for any that is free.
    """

    place: Place
    host_ip: str
    first: int
    last: int
    published: str = ""

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Mount:
    """Something mounted into a container: ``bind``, ``volume`` (no source: an anonymous one), ``tmpfs`` ..."""

    place: Place
    kind: str
    source: str
    target: str


def ports(service: Node) -> Iterator[Port]:
    """The published ports, those in a form that cannot be told left out."""
    for _, port in _ports(service):
        if port is not None:
            yield port


def ports_misread(service: Node) -> Iterator[Node]:
    """What is in a form that cannot be told."""
    for item, port in _ports(service):
        if port is None:
            yield item


def _ports(service: Node) -> Iterator[tuple[Node, Port | None]]:
    node = service.at("ports")
    for item in node.items if node is not None else ():
        if item.mapping:
            host_ip, target, published = (
                node.text if (node := item.at(key)) is not None else "" for key in ("host_ip", "target", "published")
            )
            found = _port(item.place, host_ip, target, published)
        else:
            found = _short_port(item)
        yield item, found


def _short_port(item: Node) -> Port | None:
    match = _SHORT_PORT.fullmatch(item.text)
    if match is None:
        return None
    host_ip, published = match["ip"] or "", match["published"] or ""
    if host_ip.startswith("[") and host_ip.endswith("]"):
        host_ip = host_ip[1:-1]
    found = _port(item.place, host_ip, match["target"], published)
    if found is None or not _address(host_ip) or found.published != published:
        return None
    if published:
        low, _, high = published.partition("-")
        first, last = int(low), int(high or low)
        single = found.first == found.last  # Compose then takes one that is free
        if not first <= last <= _MAX_PORT or (not single and last - first != found.last - found.first):
            return None
    return found


def _address(text: str) -> bool:
    try:
        return not text or ("%" not in text and bool(ipaddress.ip_address(text)))
    except ValueError:
        return False


def _port(place: Place, host_ip: str, target: str, published: str) -> Port | None:
    first, _, last = target.partition("-")
    if not first.isdigit() or not (last or first).isdigit() or len(target) > 11:
        return None
    low, high = int(first), int(last or first)
    if not _PUBLISHED.fullmatch(published):
        published = ""
    return Port(place, host_ip, low, high, published) if 0 < low <= high <= _MAX_PORT else None


def mounts(service: Node) -> Iterator[Mount]:
    """Volumes and bind mounts."""
    node = service.at("volumes")
    for item in node.items if node is not None else ():
        if item.mapping:
            kind, source, target = (item.at(key) for key in ("type", "source", "target"))
            yield Mount(
                item.place,
                kind.text if kind is not None else "volume",
                source.text if source is not None else "",
                target.text if target is not None else "",
            )
            continue
        parts = volume_parts(item.text)
        if len(parts) == 1:
            yield Mount(item.place, "volume", "", parts[0])
        else:
            kind_word = "bind" if parts[0].startswith((".", "/", "~")) or ":" in parts[0] else "volume"
            yield Mount(item.place, kind_word, parts[0], parts[1])


def volume_parts(text: str) -> list[str]:
    """What stands between the colons of a volume; that after the letter of a drive (``C:``) is none."""
    parts: list[str] = []
    for part in text.split(":"):
        if parts and len(parts[-1]) == 1 and parts[-1].isalpha():
            parts[-1] += f":{part}"
        else:
            parts.append(part)
    return parts


def repository(image: str) -> str:
    """The last part of an image's name, without registry, tag and digest: ``postgres`` of ``docker.io/postgres:16``."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[0]


def tag_of(image: str) -> str:
    """The tag of an image, empty without one."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


_ONCE = frozenset({
    "bootstrap", "create", "init", "initialize", "install", "migrate", "migration", "migrations", "migrator", "pull",
    "puller", "provision", "seed", "seeder", "setup",
})  # fmt: skip
"""Words in the names of services that do one thing and end."""
_ONCE_COMMAND = re.compile(
    r"\b(ollama pull|alembic upgrade|prisma migrate|geoipupdate|migrate\b|mc (alias|mb)|chown -R)"
)


def finishing(services: Mapping[str, Node]) -> frozenset[str]:
    """Services that are meant to end: another waits for that, or their name or command says so.

    What is always restarted is none.
    """
    found: set[str] = set()
    for name, service in services.items():
        depends = service.at("depends_on")
        for other, node in depends.mapping.items() if depends is not None else ():
            condition = node.at("condition")
            if condition is not None and condition.text == "service_completed_successfully":
                found.add(other)
        restart = service.at("restart")
        always = restart is not None and restart.text in ("always", "unless-stopped")
        if not always and (not _ONCE.isdisjoint(re.split(r"[^a-z]+", name.lower())) or _one_shot(service)):
            found.add(name)
    return frozenset(found)


def restarts(service: Node) -> bool:
    """Whether Docker starts it again after it ended by itself."""
    restart = service.at("restart")
    if restart is not None and restart.text not in ("", "no", "false"):
        return True
    policy = service.at("deploy", "restart_policy")
    condition = policy.at("condition") if policy is not None else None
    return policy is not None and (condition is None or condition.text != "none")


def _one_shot(service: Node) -> bool:
    for key in ("command", "entrypoint"):
        node = service.at(key)
        text = " ".join(item.text for item in node.items) if node is not None and node.items else ""
        if _ONCE_COMMAND.search((text or (node.text if node is not None else ""))[:2000]):
            return True
    return False
