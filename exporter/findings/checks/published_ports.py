"""Ports that every machine which reaches this host can reach. Docker's own rules stand before most firewalls."""

import ipaddress
from collections.abc import Iterator

from exporter.findings.compose_service import Port, ports
from exporter.findings.finding import Finding, Group, Kind, Severity, word
from exporter.findings.inputs import Inputs
from exporter.findings.project import active_services

GUARDED = {
    1433: "SQL Server",
    2375: "the Docker engine, without TLS",
    2379: "etcd",
    3306: "MySQL",
    5432: "PostgreSQL",
    5984: "CouchDB",
    6333: "Qdrant",
    6379: "Redis",
    6432: "PgBouncer",
    7474: "Neo4j's browser",
    7687: "Neo4j",
    8086: "InfluxDB",
    8123: "ClickHouse",
    9042: "Cassandra",
    9200: "Elasticsearch",
    11211: "memcached",
    27017: "MongoDB",
}
"""Ports of servers that belong behind something else, by their number within the container."""

PUBLIC = frozenset({"25", "80", "110", "143", "443", "465", "587", "993", "995", "4190"})
"""Ports of the host that are published on purpose: of the web, and of mail."""

_GUARDED = Group("{places} ports of databases and similar servers are open to every network of this host: of {names}")
_PURPOSE = Group("{places} ports of the web or of mail are open to every network of this host: of {names}")
_OPEN = Group("{places} ports are open to every network of this host: of {names}")


class PublishedPorts:
    """Of a service that its profile keeps away, nothing is critical: nothing of it is open."""

    name = "published-ports"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            active = active_services(project, inputs.running)
            for name, service in project.services.items():
                for port in ports(service):
                    if _open(port.host_ip):
                        yield self._finding(name, port, name in active)

    def _finding(self, name: str, port: Port, active: bool) -> Finding:
        guarded = next((what for number, what in GUARDED.items() if number in port), None)
        message = f"port {port} of {word(name)} is open to every network of this host"
        severity: Severity = "warning"
        groups: tuple[Group, ...] = (_OPEN,)
        if guarded:
            severity, message = "critical" if active else "warning", f"{message}, and belongs to {guarded}"
            groups = (Group(message), _GUARDED)
        elif port.published in PUBLIC:
            severity, message, groups = "info", f"{message}, as those of the web and of mail are", (_PURPOSE,)
        return Finding(
            self.name,
            severity,
            word(name),
            port.place.printable(),
            message,
            f"publish it on 127.0.0.1 only, as in 127.0.0.1:{port.published or port}:{port}"
            + ("; containers of the project do not need it" if guarded else ""),
            groups,
        )


def _open(host_ip: str) -> bool:
    if not host_ip:
        return True
    try:
        return ipaddress.ip_address(host_ip).is_unspecified
    except ValueError:
        return False
