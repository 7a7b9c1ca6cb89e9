"""The inventory: what is looked after, with its limits. The one schema of those sections of ``upkeeper.yml``.

Each limit here is exported as a metric next to the value it limits, so that rules compare the two
and a threshold is changed in one place only.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from exporter.configfile.quantities import Bytes, Duration
from exporter.configfile.section import Contradiction, Section, names_of, repeated_names, shown
from exporter.inventory.audit import Configuration, FindingsSettings
from exporter.inventory.backups import Backup, BackupsSettings, unknown_servers
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.docker import Docker, DockerUsageSettings
from exporter.inventory.filesystems import Filesystems
from exporter.inventory.host import Host, SystemdSettings, UpdatesSettings
from exporter.inventory.logs import LogDirectory, LogsSettings, RotationPolicy
from exporter.inventory.needs import needs_contradictions
from exporter.inventory.neo4j import Neo4jServer, Neo4jSettings
from exporter.inventory.postgres import PostgresServer, PostgresSettings
from exporter.inventory.services import Service
from exporter.inventory.sqlite import SqliteDatabase


class Collectors(Section):
    """Settings of each collector."""

    services: CollectorSettings = Field(default=CollectorSettings(), description="the probes of all services")
    filesystem: CollectorSettings = Field(default=CollectorSettings(), description="sizes of file systems")
    logs: LogsSettings = Field(default=LogsSettings(), description="sizes of log directories")
    backups: BackupsSettings = Field(default=BackupsSettings(), description="backup directories and repositories")
    docker: CollectorSettings = Field(default=CollectorSettings(), description="the engine and its containers")
    docker_usage: DockerUsageSettings = Field(
        default=DockerUsageSettings(), description="the engine's expensive disk usage call"
    )
    postgres: PostgresSettings = Field(default=PostgresSettings(), description="PostgreSQL servers")
    neo4j: Neo4jSettings = Field(default=Neo4jSettings(), description="the Neo4j servers")
    sqlite: CollectorSettings = Field(default=CollectorSettings(), description="databases of SQLite")
    host: CollectorSettings = Field(default=CollectorSettings(), description="load, memory, pressure and so on")
    updates: UpdatesSettings = Field(
        default=UpdatesSettings(), description="pending package updates, and whether a reboot is needed"
    )
    systemd: SystemdSettings = Field(default=SystemdSettings(), description="failed units of systemd")
    findings: FindingsSettings = Field(default=FindingsSettings(), description="mistakes in the configuration")
    stale_after: Duration = Field(
        default=300.0, description="values of a collector that keeps failing disappear after this time"
    )


class Inventory(Section):
    """What is looked after: the sections of ``upkeeper.yml`` that the exporter reads."""

    services: list[Service] = Field(
        default=[], description="services to probe, in addition to those declared by labels"
    )
    filesystems: Filesystems = Field(default=Filesystems(), description="file systems, which are discovered")
    logs: list[LogDirectory] = Field(default=[], description="log directories to measure and to rotate")
    backups: list[Backup] = Field(default=[], description="backups that must exist, be recent and have the usual size")
    docker: Docker = Field(default=Docker(), description="the Docker engine, and what may be removed from it")
    postgres: list[PostgresServer] = Field(default=[], description="PostgreSQL servers to measure")
    neo4j: list[Neo4jServer] = Field(default=[], description="Neo4j servers to measure")
    sqlite: list[SqliteDatabase] = Field(
        default=[], description="databases of SQLite to measure, which `sqlite-shrink` may shrink"
    )
    host: Host = Field(default=Host(), description="limits of the host itself")
    configuration: Configuration = Field(
        default=Configuration(), description="the stack's own configuration, checked for mistakes"
    )
    collectors: Collectors = Field(default=Collectors(), description="when each kind of thing is measured")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from repeated_names("services", given.get("services"))
        yield from repeated_names("logs", given.get("logs"))
        yield from repeated_names("backups", given.get("backups"))
        yield from repeated_names("postgres", given.get("postgres"))
        yield from repeated_names("neo4j", given.get("neo4j"))
        yield from repeated_names("sqlite", given.get("sqlite"))
        yield from unknown_servers(given)
        yield from needs_contradictions(given)
        for index, name in enumerate(names_of(given.get("logs"))):
            if name == DRILL_DIRECTORY:
                yield Contradiction(
                    ("logs", index, "name"), f"{shown(name)} belongs to `upkeeper drill`; choose another"
                )


DRILL_DIRECTORY = "upkeeper-drill"
"""Name of the log directory that ``upkeeper drill`` fills over its limit. It need not exist."""

InventoryT = TypeVar("InventoryT", bound=Inventory)


def with_drill(inventory: InventoryT, path: Path) -> InventoryT:
    """The inventory and the drill's scratch directory at ``path``, so small that a harmless breach is soon made."""
    drill = LogDirectory(
        name=DRILL_DIRECTORY,
        path=str(path.absolute()),
        max_bytes=Bytes(1024**2),
        rotation=RotationPolicy(max_file_bytes=Bytes(256 * 1024)),
    )
    return inventory.model_copy(update={"logs": [*inventory.logs, drill]})


def with_secret_files(inventory: InventoryT, paths: Iterable[str]) -> InventoryT:
    """The inventory, with further files that only their owner may read: those that other sections name."""
    known = inventory.configuration.secret_files
    configuration = inventory.configuration.model_copy(
        update={"secret_files": [*known, *(path for path in paths if path not in known)]}
    )
    return inventory.model_copy(update={"configuration": configuration})
