"""What tasks work with beside the config: connections that they share, and what they remember.

A connection is made when it is first asked for. A reload of the config hands on those that it does not change. One that
no config in force has any more is closed as soon as no step of a run works with it.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, cast

from exporter.docker.engine import DockerEngine
from exporter.inventory.neo4j import Neo4jServer
from exporter.inventory.postgres import PostgresServer
from remediator.config.config import Config
from remediator.model.shapes.answers import Page
from remediator.model.shapes.remedies import RemedyView
from remediator.model.shapes.sets import SetsView
from remediator.model.shapes.status import StatusView
from remediator.model.task import TaskError
from remediator.servers.neo4j import Neo4jDoor
from remediator.servers.postgres import PostgresDoor

if TYPE_CHECKING:
    from remediator.store.database import Database

T = TypeVar("T")
C = TypeVar("C", bound="_Closes")


class Memory:
    """What tasks remember for as long as the process runs, through every reload of the config."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, object] = {}

    def of(self, kind: Callable[[], T], *about: Hashable) -> T:
        """The one object of this kind and subject, made when first asked for."""
        key = (kind, *about)
        if key not in self._kept:
            self._kept[key] = kind()
        return cast(T, self._kept[key])


class Knows(Protocol):
    """What a task may ask of the remediator that it is a part of: each raises RequestError."""

    async def status(self) -> StatusView: ...

    async def remedies(self) -> Page[RemedyView]: ...

    async def sets(self) -> SetsView: ...


class _Closes(Protocol):
    def close(self) -> None: ...


class _Shared:
    """What is connected to one server, with the number of configs that have it."""

    def __init__(self, one: _Closes) -> None:
        self.one = one
        self.users = 0

    def leave(self) -> None:
        self.users -= 1
        if not self.users:
            self.one.close()


class Resources:
    """What the tasks of one config work with.

    docker: makes the engine, instead of what the config says. state_dir: where what tasks find out is kept; None for
    nowhere. config_file: where the config is; None where there is none.
    """

    def __init__(
        self,
        config: Config,
        memory: Memory | None = None,
        *,
        state_dir: Path | None = None,
        config_file: Path | None = None,
        docker: Callable[[], DockerEngine] | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.config_file = config_file
        self._record: Database | None = None
        self._remediator: Knows | None = None
        self.memory = memory or Memory()
        self._docker_host = config.docker.host
        self._make_docker = docker or (lambda: DockerEngine(config.docker.host))
        self._servers = {*map(_key, config.postgres), *map(_key, config.neo4j)}
        self._open: dict[Hashable, _Shared] = {}
        self._at_work = 0
        self._retired = False

    @property
    def record(self) -> "Database":
        """The record that the runs are in. Raises TaskError where there is none."""
        if self._record is None:
            raise TaskError("there is no record here")
        return self._record

    @property
    def remediator(self) -> Knows:
        """The remediator that the task is a part of. Raises TaskError where there is none."""
        if self._remediator is None:
            raise TaskError("there is no remediator here")
        return self._remediator

    def attach(self, record: "Database", remediator: Knows) -> None:
        """From now on tasks can read this record, and ask how things stand."""
        self._record, self._remediator = record, remediator

    @property
    def docker(self) -> DockerEngine:
        """The Docker engine that the config names."""
        return self._shared(("docker", self._docker_host), self._make_docker)

    def postgres(self, server: PostgresServer) -> PostgresDoor:
        """The way to a PostgreSQL server of the config. Its connections are open only while they are used."""
        return self._shared(_key(server), lambda: PostgresDoor(server))

    def neo4j(self, server: Neo4jServer) -> Neo4jDoor:
        """The way to a Neo4j server of the config. Its connection is open only while it is used."""
        return self._shared(_key(server), lambda: Neo4jDoor(server))

    def _shared(self, key: Hashable, make: Callable[[], C]) -> C:
        if key not in self._open:
            self._take(key, _Shared(make()))
        return cast(C, self._open[key].one)

    def _take(self, key: Hashable, shared: _Shared) -> None:
        shared.users += 1
        self._open[key] = shared

    def renewed(self, config: Config) -> Self:
        """Those of a config that is to replace this one, with the same memory and what connections they share."""
        after = type(self)(config, self.memory, state_dir=self.state_dir, config_file=self.config_file)
        after._record, after._remediator = self._record, self._remediator
        for key, shared in self._open.items():
            if key in (("docker", config.docker.host), *after._servers):
                after._take(key, shared)
        return after

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps open connections from being closed within the block. Raises TaskError if they are closed already."""
        if self._retired and not self._at_work:
            raise TaskError("the config was changed at this moment; try again")
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
            self._close_if_done()

    def close(self) -> None:
        """The config is no longer in force: closes what only it uses, now or once no step works with it."""
        self._retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and not self._at_work:
            while self._open:
                _, shared = self._open.popitem()
                shared.leave()


def _key(server: PostgresServer | Neo4jServer) -> Hashable:
    """The same for servers that are configured alike."""
    return (type(server).__name__, server.model_dump_json())
