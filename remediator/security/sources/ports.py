"""Ports that listen, and to whom: by the address that each is bound to."""

import asyncio
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from exporter.base.listen import is_loopback_host
from exporter.findings.finding import Severity
from exporter.host.listening import listening
from remediator.security.finding import Found, Risk

SOURCE = "ports"
EXPECTED = frozenset({22, 25, 53, 80, 443, 465, 587, 993})
"""What is there to be reached: ssh, mail, names and the web."""
DANGEROUS: Mapping[int, str] = {
    2375: "the Docker engine, without encryption",
    2376: "the Docker engine",
    3306: "MySQL",
    5432: "PostgreSQL",
    6379: "Redis",
    7474: "Neo4j",
    7687: "Neo4j",
    9200: "Elasticsearch",
    11211: "memcached",
    27017: "MongoDB",
}
"""Ports of what nobody but its own applications should reach: https://www.iana.org/assignments/service-names-port-numbers"""


@dataclass(frozen=True)
class Listening:
    """One port. process: empty where it may not be known."""

    protocol: str
    address: str
    port: int
    process: str = ""


def to_whom(address: str) -> str:
    """Who can reach what is bound to an address: ``nobody``, ``the network of ...`` or ``everybody``. Pure."""
    if is_loopback_host(address):
        return "nobody"
    try:
        bound = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "everybody"
    if bound.is_loopback:
        return "nobody"
    if bound.is_unspecified or bound.is_global:
        return "everybody"
    return f"the network of {address}"


def judge(ports: Iterable[Listening]) -> Iterator[Risk]:
    """Pure."""
    for one in sorted(set(ports), key=lambda one: (one.protocol, one.port, one.address)):
        whom = to_whom(one.address)
        known = DANGEROUS.get(one.port) if one.protocol == "tcp" else None
        if whom == "nobody" or (one.port in EXPECTED and known is None):
            continue
        by = f" by {one.process}" if one.process else ""
        what = f"port {one.port}/{one.protocol}{f' ({known})' if known else ''} is open to {whom}{by}"
        severity: Severity = "info"
        if known is not None:
            severity = "critical" if whom == "everybody" else "warning"
        remedy = (
            "bind it to 127.0.0.1, or shut it in the firewall" if known else "if nobody needs it, bind it to 127.0.0.1"
        )
        yield Risk(f"port:{one.protocol}/{one.port}", severity, SOURCE, what, remedy)


async def look() -> Found:
    try:
        async with asyncio.timeout(20):
            ports, named = await asyncio.to_thread(_listening)
    except (psutil.AccessDenied, OSError, TimeoutError) as error:
        return Found(unknown=[f"open ports are not known: {type(error).__name__} {error}".rstrip()])
    unseen = "which programs hold some of the open ports cannot be seen: it takes root, and the kernel's own have none"
    unknown = [] if named else [unseen]
    return Found(list(judge(ports)), unknown, [f"{len(set(ports))} listening ports"])


def _listening() -> tuple[Sequence[Listening], bool]:
    """TCP that listens, and UDP that is bound and talks to no one peer; whether every process could be named."""
    found, named, names = [], True, dict[int, str]()
    for one in listening():
        if one.protocol == "udp" and one.port >= 32768:  # an answer is waited for there
            continue
        if one.pid is None:
            named = False
        elif one.pid not in names:
            try:
                names[one.pid] = psutil.Process(one.pid).name()
            except psutil.Error:
                names[one.pid] = ""
        found.append(Listening(one.protocol, one.address, one.port, names.get(one.pid or 0, "")))
    return found, named
