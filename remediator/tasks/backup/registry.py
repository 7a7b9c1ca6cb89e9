"""The sources of a series, from its config."""

from collections.abc import Mapping

from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Make, Neo4jSource, SqliteSource
from exporter.inventory.neo4j import Neo4jServer
from exporter.inventory.postgres import PostgresServer
from remediator.tasks.backup.holds import Containers
from remediator.tasks.backup.sources.files import Files
from remediator.tasks.backup.sources.neo4j import Neo4j
from remediator.tasks.backup.sources.neo4j_dump import Neo4jDump
from remediator.tasks.backup.sources.postgres.source import Postgres
from remediator.tasks.backup.sources.source import Source
from remediator.tasks.backup.sources.sqlite import Sqlite
from remediator.tasks.backup.sources.volume import SqliteInVolume, Volume


def sources_of(
    make: Make,
    postgres: Mapping[str, PostgresServer],
    neo4j: Mapping[str, Neo4jServer],
    engine: DockerEngine,
    containers: Containers,
    config: str | None = None,
) -> dict[str, Source]:
    """By key, in the order in which they are copied: what changes fastest first, so that it is of about one moment.

    config: Upkeeper's own config file, which goes with the files.
    """
    found: list[Source] = [Postgres(each, postgres[each.server], engine) for each in make.postgres]
    found += [graph_source(each, neo4j[each.server], engine, containers) for each in make.neo4j]
    found += [_sqlite(each, engine) for each in make.sqlite]
    found += [Volume(each, engine, containers) for each in make.volumes]
    if make.files or make.compose is not None or config is not None:
        found.append(Files(make.files, make.compose, engine, config))
    return {f"{each.kind}:{each.name}": each for each in found}


def graph_source(each: Neo4jSource, server: Neo4jServer, engine: DockerEngine, containers: Containers) -> Source:
    return Neo4j(each, server, containers) if each.dump is None else Neo4jDump(each, each.dump, engine, containers)


def _sqlite(each: SqliteSource, engine: DockerEngine) -> Source:
    if each.path is not None:
        return Sqlite(each.name, each.path)
    assert each.volume is not None
    assert each.file is not None
    return SqliteInVolume(each.name, each.volume, each.file, engine)
