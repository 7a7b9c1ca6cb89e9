"""Asking the Docker engine from within a task: every failure is a TaskError."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from exporter.docker.engine import DockerEngine, DockerUnavailable
from remediator.model.task import TaskError

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")


@contextmanager
def engine_errors() -> Iterator[None]:
    """Raises TaskError when the engine cannot be reached, does not answer in time, fails or refuses."""
    try:
        yield
    except DockerUnavailable as error:
        raise TaskError(str(error)) from error
    except OSError as error:  # its APIError is one
        from docker.errors import APIError

        if not isinstance(error, APIError):
            raise
        raise TaskError(f"the Docker engine refused: {error.explanation or error}") from error


async def ask(engine: DockerEngine, function: "Callable[[APIClient], T]") -> T:
    """The result of ``function(client)``, as DockerEngine.call gives it. Raises TaskError."""
    with engine_errors():
        return await engine.call(function)
