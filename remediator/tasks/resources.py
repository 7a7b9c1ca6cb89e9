"""What tasks work with beside the config: connections that they share, and what they remember.

A connection is made when it is first asked for. A reload of the config hands on those that it does not change. One that
no config in force has any more is closed as soon as no step of a run works with it.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar, cast

from exporter.docker.engine import DockerEngine
from remediator.config.config import Config
from remediator.model.task import TaskError

T = TypeVar("T")


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


class _Shared:
    """A connection, with the number of configs that have it."""

    def __init__(self, engine: DockerEngine) -> None:
        self.engine = engine
        self.users = 0

    def leave(self) -> None:
        self.users -= 1
        if not self.users:
            self.engine.close()


class Resources:
    """What the tasks of one config work with.

    docker: makes the engine, instead of what the config says. state_dir: where what tasks find out is kept; None for
    nowhere.
    """

    def __init__(
        self,
        config: Config,
        memory: Memory | None = None,
        *,
        state_dir: Path | None = None,
        docker: Callable[[], DockerEngine] | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.memory = memory or Memory()
        self._docker_host = config.docker.host
        self._make_docker = docker or (lambda: DockerEngine(config.docker.host))
        self._docker: _Shared | None = None
        self._at_work = 0
        self._retired = False

    @property
    def docker(self) -> DockerEngine:
        """The Docker engine that the config names."""
        if self._docker is None:
            self._take_docker(_Shared(self._make_docker()))
        assert self._docker is not None
        return self._docker.engine

    def _take_docker(self, shared: _Shared) -> None:
        shared.users += 1
        self._docker = shared

    def renewed(self, config: Config) -> Self:
        """Those of a config that is to replace this one, with the same memory and what connections they share."""
        after = type(self)(config, self.memory, state_dir=self.state_dir)
        if self._docker is not None and config.docker.host == self._docker_host:
            after._take_docker(self._docker)
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
        if self._retired and not self._at_work and self._docker is not None:
            shared, self._docker = self._docker, None
            shared.leave()
