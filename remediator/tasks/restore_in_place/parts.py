"""Where the parts of a set belong on this machine, and what copies what is there."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exporter.backups.manifest import Member
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Make, Neo4jSource, VolumeSource
from exporter.inventory.neo4j import Neo4jServer
from exporter.inventory.postgres import PostgresServer
from remediator.model.task import TaskError
from remediator.tasks.backup.holds import Containers
from remediator.tasks.backup.registry import sources_of
from remediator.tasks.backup.sources.files import Files
from remediator.tasks.backup.sources.neo4j import Neo4j
from remediator.tasks.backup.sources.neo4j_dump import FORM, Neo4jDump
from remediator.tasks.backup.sources.source import Source
from remediator.tasks.backup.sources.sqlite import Sqlite
from remediator.tasks.backup.sources.volume import Volume, mount_point
from remediator.tasks.restore.into_database import Database
from remediator.tasks.restore_in_place import databases
from remediator.tasks.restore_in_place.graph_dump import GraphDump, graph_dumps
from remediator.tasks.restore_in_place.swap import Place
from remediator.tasks.restoring.graph import Graph, graphs_of
from remediator.tasks.restoring.parts import Part
from remediator.tasks.restoring.parts import databases as databases_of
from remediator.tasks.restoring.sets import ChosenSet
from remediator.tasks.worker import in_thread


@dataclass(frozen=True)
class Servers:
    """Those of the config, by their names."""

    postgres: Mapping[str, PostgresServer]
    neo4j: Mapping[str, Neo4jServer]


@dataclass(frozen=True)
class Replaced:
    """What a part replaces."""

    part: Part
    places: Sequence[Place] = ()
    databases: Sequence[tuple[str, Database]] = ()
    """The name that each is to have, and the new one."""
    graphs: Sequence[Graph] = ()
    dumps: Sequence[GraphDump] = ()
    writers: Sequence[str] = ()
    """Containers that write to the graphs, by the config, and for a dump the server's own."""

    @property
    def is_sqlite(self) -> bool:
        return self.part.member.kind == "sqlite"


async def replaced(
    found: ChosenSet, part: Part, make: Make, servers: Servers, engine: DockerEngine, scratch: Path
) -> Replaced:
    """Where a part belongs by the config as it is now. Raises UpkeeperError where it cannot be put there.

    scratch: a directory for a file of 8 bytes a node of a graph.
    """
    member, entries = part.member, part.files(found.manifest)
    match member.kind:
        case "volumes":
            return Replaced(part, [Place(Path(await mount_point(engine, member.name)), entries[0])])
        case "sqlite":
            path = Path(await _sqlite_path(make, member.name, engine))
            return Replaced(part, [Place(path, entries[0])])
        case "files":
            insides = [part.path] if part.path is not None else _tops(member.facts.get("paths", []))
            places = [Place(Path("/") / inside.removeprefix("./"), entries[0], inside) for inside in insides]
            return Replaced(part, places)
        case "postgres":
            server = servers.postgres.get(member.name)
            if server is None:
                raise TaskError(f"{member.name} is no server of `postgres:` any more; restore into a directory")
            names = list(databases_of(member)) if part.database is None else [part.database]
            made = [(name, _new(server, name, found, member)) for name in names]
            return Replaced(part, databases=made)
        case "neo4j":
            source = next((each for each in make.neo4j if each.server == member.name), None)
            writers = [] if source is None else [*source.stop, *source.pause]
            if member.facts.get("form") == FORM:
                dumps = await graph_dumps(engine, make, found, part)
                return Replaced(part, dumps=dumps, writers=[dumps[0].admin.stored.name, *writers])
            graph_server = servers.neo4j.get(member.name)
            if graph_server is None:
                raise TaskError(f"{member.name} is no server of `neo4j:` any more; restore into a directory")
            return Replaced(part, graphs=graphs_of(graph_server, found, part, scratch), writers=writers)
    raise TaskError(f"{part} cannot be restored in place by this Upkeeper; restore it into a directory")


async def copier(
    whole: Sequence[Replaced],
    make: Make,
    servers: Servers,
    engine: DockerEngine,
    containers: Containers,
) -> Source | None:
    """What copies that which is there of parts of one member; None where nothing is. No container is stopped by it."""
    member = whole[0].part.member
    places = [place for each in whole for place in each.places]
    if member.kind == "postgres":
        asked = [pair for each in whole for pair in each.databases]
        there = [name for name, one in asked if await in_thread(partial(databases.is_there, one, name))]
        return _dumper(member.name, there, make, servers.postgres, engine, containers) if there else None
    if member.kind == "neo4j" and any(each.dumps for each in whole):
        return await _dumped(whole, make, engine, containers)
    if member.kind == "neo4j":
        names = sorted({await in_thread(partial(_database_of, graph)) for each in whole for graph in each.graphs})
        only = Neo4jSource(server=member.name, databases=names)
        return Neo4j(only, servers.neo4j[member.name], containers)
    there_paths = _existing(places)
    if not there_paths:
        return None
    if member.kind == "volumes":
        return Volume(VolumeSource(name=member.name), engine, containers)
    if member.kind == "sqlite":
        return Sqlite(member.name, there_paths[0])
    return Files(there_paths)


async def _dumped(whole: Sequence[Replaced], make: Make, engine: DockerEngine, containers: Containers) -> Source | None:
    """Dumps what is there of those databases; None where there is none of them."""
    at = whole[0].dumps[0].admin.stored
    asked = {dump.name for each in whole for dump in each.dumps}
    names = sorted(asked.intersection(await in_thread(lambda _: at.databases())))
    server = whole[0].part.member.name
    (dump,) = [each.dump for each in make.neo4j if each.server == server and each.dump is not None]
    only = Neo4jSource(server=server, databases=names)
    return Neo4jDump(only, dump, engine, containers, still=True) if names else None


def _database_of(graph: Graph, stop: threading.Event) -> str:
    return graph.look(stop, replaces=True)


def _dumper(
    server: str,
    there: list[str],
    make: Make,
    servers: Mapping[str, PostgresServer],
    engine: DockerEngine,
    containers: Containers,
) -> Source:
    """As the backup does it, but for which databases, and with all of their tables. Raises TaskError."""
    given = [each.model_copy(update={"databases": there, "exclude_tables": []}) for each in make.postgres]
    alone = [each for each in given if each.server == server]
    if not alone:
        raise TaskError(f"{server} is no longer in make.postgres, so what is there cannot be copied")
    only = Make.model_construct(postgres=alone)
    return sources_of(only, servers, {}, engine, containers)[f"postgres:{server}"]


def _new(server: PostgresServer, name: str, found: ChosenSet, member: Member) -> Database:
    """What is to become a database, under a name of ours."""
    return Database(server, databases.new_name(name), found, Part(member, database=name), ours=True)


def _existing(places: Sequence[Place]) -> list[str]:
    return [str(place.target) for place in places if os.path.lexists(place.target)]


async def _sqlite_path(make: Make, name: str, engine: DockerEngine) -> str:
    source = next((each for each in make.sqlite if each.name == name), None)
    if source is None:
        raise TaskError(f"sqlite {name} is no longer in make: where it belongs is not known; restore into a directory")
    if source.path is not None:
        return source.path
    assert source.volume is not None
    assert source.file is not None
    return f"{await mount_point(engine, source.volume)}/{source.file}"


def _tops(paths: object) -> list[str]:
    """Those of the paths of an archive that are not below another of them, as they are in it."""
    given = [str(path) for path in paths] if isinstance(paths, list) else []
    if "/" in given:
        raise TaskError("the whole file system is not replaced; name a part of it, as in file:/etc")
    tops = [path for path in given if not any(path != top and Path(top) in Path(path).parents for top in given)]
    return [path.strip("/") for path in dict.fromkeys(tops)]
