"""``check`` and ``config``: the config file, what is wrong with it, and what is in force."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from upkeeper.commands.options import Session, operation, shared

if TYPE_CHECKING:
    from exporter.discovery import Discovery
    from remediator.config.config import Config

DOCKER_SECONDS = 5.0
"""How long to wait for the Docker engine when looking for what there is."""


@click.command()
@shared("config", "state_dir", "json", "verbose")
@operation
async def check(session: Session) -> int:
    """Check the config file.

    All mistakes are reported at once, each with file, line, key and remedy. Warnings are about this machine: a
    directory that is not here, a secret that everyone may read. The exit status is 2 when there is a mistake. Without
    --config, the file checked is that of the stack that runs, or ran last, on the state directory.

    \b
    Example:
      upkeeper check --config upkeeper.yml
    """
    import time

    from remediator.model.errors import EXIT_USAGE
    from upkeeper.look import check_config as configcheck
    from upkeeper.screens.configuration import show_problems

    _logs(session)
    path = _file(session)
    problems = await configcheck.check(path, state=session.state().root)
    silent = configcheck.tells_nobody(path)
    show_problems(session.screen, path, problems, configcheck.coming(path, time.time()), silent=silent)
    return EXIT_USAGE if any(problem.severity == "error" for problem in problems) else 0


@click.group()
def config() -> None:
    """Show the effective config or its JSON Schema.

    The effective config is the file with every default, and the defaults alone where there is no file. The schema is
    for editors and other tools.

    \b
    Examples:
      upkeeper config show
      upkeeper config schema > upkeeper.schema.json
    """


@config.command()
@shared("config", "state_dir", "json", "verbose")
@operation
async def show(session: Session) -> None:
    """Show the config in force, and what was found on this machine.

    Every default is there, secrets are masked, and what Upkeeper discovered by itself is listed below: file systems,
    the Docker engine, its containers and their labels. Without --config it is the file of the stack that runs, or ran
    last, on the state directory.

    \b
    Example:
      upkeeper config show --config upkeeper.yml
    """
    from exporter.configfile.file import load
    from exporter.configfile.problem import ConfigError
    from remediator.config.config import Config
    from remediator.control.configuring import effective
    from remediator.model.errors import EXIT_USAGE, ClientError
    from upkeeper.look.show_config import discovered, render_effective

    _logs(session)
    try:
        loaded = load(_file(session), Config)
    except ConfigError as error:
        raise ClientError(str(error), EXIT_USAGE) from error
    found = await _discover(loaded.value)
    screen = session.screen
    screen.document({"config": effective(loaded), "discovered": discovered(found)})
    for line in render_effective(loaded, found).splitlines():
        screen.line(line)


@config.command()
@shared("json")
@operation
async def schema(session: Session) -> None:
    """Print the JSON Schema of the config file.

    An editor that has it completes keys and marks mistakes while you type. It is a JSON document with and without
    --json.

    \b
    Example:
      upkeeper config schema > upkeeper.schema.json
    """
    import json

    from upkeeper.look import show_config as configshow

    click.echo(json.dumps(configshow.schema(), indent=2))


def _file(session: Session) -> Path | None:
    """The config file that is meant: what runs may have been started with another one than would be found."""
    from exporter.configfile.find import find_config
    from remediator.endpoints import running_config

    return find_config(session.config or running_config(session.state().root))


def _logs(session: Session) -> None:
    from exporter.base.log_setup import configure

    configure(level="debug" if session.verbose else "error")


async def _discover(inventory: "Config") -> "Discovery":
    from exporter.discovery import discover
    from exporter.docker.engine import DockerEngine

    engine = DockerEngine(inventory.docker.host, DOCKER_SECONDS)
    try:
        return await discover(inventory, engine)
    finally:
        engine.close()
