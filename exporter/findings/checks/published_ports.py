"""Ports that every machine which reaches this host can reach. Docker's own rules stand before most firewalls."""

import ipaddress
from collections.abc import Iterator

from exporter.findings.finding import Finding, Kind, word
from exporter.findings.inputs import Material
from exporter.findings.service import Port, ports

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


class PublishedPorts:
    name = "published-ports"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, material: Material) -> Iterator[Finding]:
        for project in material.projects:
            for name, service in project.services.items():
                for port in ports(service):
                    if _open(port.host_ip):
                        yield self._finding(name, port)

    def _finding(self, name: str, port: Port) -> Finding:
        guarded = next((what for number, what in GUARDED.items() if number in port), None)
        return Finding(
            self.name,
            "critical" if guarded else "warning",
            word(name),
            port.place.printable(),
            f"port {port} of {word(name)} is open to every network of this host"
            + (f", and it is that of {guarded}" if guarded else ""),
            f"publish it on 127.0.0.1 only, as in 127.0.0.1:{port.published or port}:{port}"
            + ("; containers of the project reach it without" if guarded else ""),
        )


def _open(host_ip: str) -> bool:
    if not host_ip:
        return True
    try:
        return ipaddress.ip_address(host_ip).is_unspecified
    except ValueError:
        return False
