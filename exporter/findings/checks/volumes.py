"""Data that is lost with its container."""

from collections.abc import Iterator

from exporter.findings.compose_service import mounts, repository
from exporter.findings.finding import Finding, Group, Kind, word
from exporter.findings.inputs import Inputs

STATEFUL = frozenset({
    "chroma", "clickhouse-server", "couchdb", "elasticsearch", "gitea", "grafana", "influxdb", "letta", "mariadb",
    "memgraph", "milvus", "minio", "mongo", "mongodb", "mysql", "n8n", "neo4j", "nextcloud", "open-webui",
    "opensearch", "pgvector", "postgres", "postgresql", "prometheus", "qdrant", "rabbitmq", "redis",
    "timescaledb", "timescaledb-ha", "valkey", "vaultwarden", "weaviate",
})  # fmt: skip
"""Images, by the last part of their name, that keep data."""

_GROUP = Group("{count} services keep data without a named volume: {names}")


class Volumes:
    """An anonymous volume is not found again after ``down`` and ``up``, and cleaning up removes it."""

    name = "volumes"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            for name, service in project.services.items():
                image = service.at("image")
                if image is None or repository(image.text) not in STATEFUL:
                    continue
                found = [mount for mount in mounts(service) if mount.kind in ("volume", "bind")]
                anonymous = [mount for mount in found if not mount.source]
                if any(mount.source for mount in found) and not anonymous:
                    continue
                place = anonymous[0].place if anonymous else service.place
                yield Finding(
                    self.name,
                    "info",
                    word(name),
                    place.printable(),
                    f"{word(name)} keeps data in an anonymous volume, which `down` leaves behind"
                    if anonymous
                    else f"{word(name)} keeps data and has no volume for it",
                    "name a volume for it under `volumes:`",
                    (_GROUP,),
                )
