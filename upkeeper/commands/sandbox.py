"""``sandbox``: the sealed places in which sets are drilled, and what a crash left of them."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

import click

from upkeeper.commands.options import Session, operation, shared

if TYPE_CHECKING:
    from exporter.docker.engine import DockerEngine

T = TypeVar("T")

DOCKER_SECONDS = 30.0
"""How long to wait for an answer of the Docker engine."""


@click.group()
def sandbox() -> None:
    """List sandboxes, and remove what a crash left of them.

    A sandbox is a network of Docker that reaches nothing else, with the containers and volumes of a disaster recovery
    test in it. It is removed when the test ends, however it ends. If Upkeeper itself was killed it stays, until the
    next test of the same backup or `upkeeper sandbox clean` removes it.

    \b
    Examples:
      upkeeper sandbox list
      upkeeper sandbox clean
    """


@sandbox.command("list")
@shared("config", "state_dir", "json")
@operation
async def list_(session: Session) -> None:
    """List the sandboxes that there are on the Docker engine.

    Each with what it is for, when it ends at the latest, and what is in it. One that should have ended by now was left
    behind by an Upkeeper that was killed.

    \b
    Example:
      upkeeper sandbox list
    """
    import time

    from remediator.sandbox.leftovers import list_sandboxes
    from upkeeper.screens.sandboxes import show_sandboxes

    engine = _engine(session)
    try:
        show_sandboxes(session.screen, await _asked(list_sandboxes(engine)), time.time())
    finally:
        engine.close()


@sandbox.command()
@click.option("--all", "everything", is_flag=True, help="Also those in use: the test in it fails.")
@shared("config", "state_dir", "json")
@operation
async def clean(session: Session, everything: bool) -> None:
    """Remove the sandboxes that were left behind: those that should have ended by now.

    Their containers, networks and volumes are removed, and with them what was restored there. Only what carries the
    label upkeeper.sandbox is touched.

    \b
    Examples:
      upkeeper sandbox clean
      upkeeper sandbox clean --all
    """
    import time

    from remediator.sandbox.leftovers import end, list_sandboxes
    from upkeeper.screens.sandboxes import show_cleaned

    engine = _engine(session)
    try:
        found = await _asked(list_sandboxes(engine))
        leaving = [one for one in found if everything or one.left_behind(time.time())]
        await _asked(end(engine, leaving))
        show_cleaned(session.screen, leaving, len(found) - len(leaving))
    finally:
        engine.close()


def _engine(session: Session) -> "DockerEngine":
    from exporter.configfile.file import load
    from exporter.configfile.find import find_config
    from exporter.configfile.problem import ConfigError
    from exporter.docker.engine import DockerEngine
    from remediator.config.config import Config
    from remediator.endpoints import running_config
    from remediator.model.errors import EXIT_USAGE, ClientError

    try:
        loaded = load(find_config(session.config or running_config(session.state().root)), Config)
    except ConfigError as error:
        raise ClientError(str(error), EXIT_USAGE) from error
    return DockerEngine(loaded.value.docker.host, DOCKER_SECONDS)


async def _asked(answer: Awaitable[T]) -> T:
    """The answer. What the engine says against it becomes one error for people."""
    from exporter.base.errors import UpkeeperError
    from remediator.model.errors import EXIT_FAILED, ClientError

    try:
        return await answer
    except UpkeeperError as error:
        raise ClientError(str(error), EXIT_FAILED) from error
