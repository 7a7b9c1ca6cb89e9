"""``probe``: the probes of one service, now, step by step."""

import click

from upkeeper.commands.complete import complete_probe
from upkeeper.commands.options import Session, operation, shared

DOCKER_SECONDS = 5.0
"""How long to wait for the Docker engine, when the name is not in the config."""


@click.command()
@click.argument("name", metavar="NAME[/PROBE]", shell_complete=complete_probe)
@click.option("--debug", is_flag=True, help="Show each step: addresses, certificates, request, answer, conditions.")
@shared("config", "state_dir", "json", "verbose")
@operation
async def probe(session: Session, name: str, debug: bool) -> int:
    """Run the probes of a service now.

    NAME is a service of the config (unless told otherwise, the one that what runs on the state directory was started
    with), or a container whose labels declare one; NAME/PROBE is one of its probes. Nothing is recorded, and no alert
    comes of it. Values of Authorization, and what came from files or the environment, are not
    shown. The exit status is 1 when a probe fails.

    \b
    Examples:
      upkeeper probe letta
      upkeeper probe n8n/ready --debug
    """
    from exporter.base.log_setup import configure
    from exporter.configfile.file import load
    from exporter.configfile.find import find_config
    from exporter.configfile.problem import ConfigError
    from exporter.docker.engine import DockerEngine
    from remediator.config.config import Config
    from remediator.endpoints import running_config
    from remediator.model.errors import EXIT_FAILED, EXIT_USAGE, ClientError
    from upkeeper.look.probe import choose, probe_now
    from upkeeper.screens.probe import show_probes

    configure(level="debug" if session.verbose else "error")
    try:
        loaded = load(find_config(session.config or running_config(session.state().root)), Config)
    except ConfigError as error:
        raise ClientError(str(error), EXIT_USAGE) from error
    engine = DockerEngine(loaded.value.docker.host, DOCKER_SECONDS)
    try:
        chosen = await choose(loaded, name, engine)
    finally:
        engine.close()
    probed = await probe_now(chosen, detailed=debug)
    show_probes(session.screen, chosen.service.name, probed, debug=debug)
    return 0 if all(each.result.success for each in probed) else EXIT_FAILED
