"""``diagnose``: one archive for whoever is to find out what is wrong."""

from pathlib import Path

import click

from upkeeper.commands.complete import complete_run
from upkeeper.commands.options import CLIENT, Session, operation, shared


@click.command()
@click.option(
    "--for", "run", type=click.IntRange(1), metavar="RUN", shell_complete=complete_run,
    help="Put in all that is known of this run.",
)  # fmt: skip
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write the archive, a file or a directory. Default: here, named after the time.",
)
@shared(*CLIENT)
@operation
async def diagnose(session: Session, run: int | None, output: Path | None) -> None:
    """Write one archive with what tells what is wrong.

    Versions, the config in force without its secrets, the last runs with their evidence, plans, logs, metrics, the
    containers, Prometheus and Alertmanager. A manifest says what is in it, and what could not be read and why. It also
    works while the remediator is down, and with a broken config. Passwords, tokens and keys are left out; look through
    it all the same before you pass it on.

    \b
    Examples:
      upkeeper diagnose
      upkeeper diagnose --for 12 --output run-12.tar.gz
    """
    from upkeeper.client.artefacts import write
    from upkeeper.screens import diagnosis as view

    name, content, manifest = await (_local(session, run) if session.url is None else _remote(session, run))
    path = _place(output, name)
    write(path, content)
    view.show(session.screen, path, len(content), manifest)


def _place(output: Path | None, name: str) -> Path:
    return output / name if output is not None and output.is_dir() else output or Path(name)


async def _local(session: Session, run: int | None) -> tuple[str, bytes, dict[str, object] | None]:
    from exporter.base.log_setup import configure
    from exporter.configfile.find import find_config
    from exporter.configfile.problem import ConfigError
    from remediator.endpoints import running_config
    from upkeeper.client.connect import running_url
    from upkeeper.look.diagnosis import local

    configure(level="debug" if session.verbose else "error")
    state = session.state()
    try:
        config = find_config(session.config or running_config(state.root))
    except ConfigError:
        config = session.config
    try:
        running = await running_url(state) is not None
    except OSError:
        running = False
    archive = await local(state, config, run, running=running)
    return archive.name, archive.content, archive.manifest


async def _remote(session: Session, run: int | None) -> tuple[str, bytes, dict[str, object] | None]:
    """Made by the remediator there, on its machine."""
    from remediator.model.errors import EXIT_FAILED, ClientError
    from remediator.tasks.diagnose.facts import ALL, DIAGNOSE
    from upkeeper.client.follow import finish

    async with session.client() as client:
        params = {} if run is None else {"run": run}
        ended = await finish(client, await client.start_run(DIAGNOSE.name, ALL, False, params))
        made = (await client.run(ended["id"])).get("artefacts", [])
        archive = next((one for one in made if one["name"].endswith(".tar.gz")), None)
        if archive is None:
            raise ClientError(f"run {ended['id']} has made no archive: {ended['reason']}", EXIT_FAILED)
        content = await client.artefact(archive["id"])
    return content["name"], content["content"], None
