"""``up``: everything at once."""

import click

from remediator.commands.options import Session, operation, shared


@click.command()
@shared("config", "state_dir")
@click.option(
    "--port-base",
    type=click.IntRange(1, 65532),
    default=10746,
    show_default=True,
    metavar="PORT",
    help="Listen on this port and the three after it: exporter, remediator, Prometheus, Alertmanager.",
)
@click.option("--no-prometheus", is_flag=True, help="Start no Prometheus and no Alertmanager; print what yours need.")
@shared("verbose")
@operation
async def up(session: Session, port_base: int, no_prometheus: bool) -> int:
    """Start Prometheus, Alertmanager, exporter and remediator, on loopback, and keep them running.

    Prometheus and Alertmanager are those on PATH, or the ones that UPKEEPER_PROMETHEUS and UPKEEPER_ALERTMANAGER name.
    Their data and everything else stays in the state directory, so the next start finds it as it was. SIGHUP reads the
    config again; Ctrl-C and SIGTERM stop everything.

    \b
    Examples:
      upkeeper up
      upkeeper up --config upkeeper.yml --port-base 20000
      upkeeper up --no-prometheus     (into the monitoring that you have)
    """
    from exporter.logs import configure
    from remediator.up.main import up as start
    from remediator.up.prepare import UpOptions

    configure(level="debug" if session.verbose else "info")
    options = UpOptions(session.config, session.state_dir, port_base, not no_prometheus, session.verbose)
    return await start(options, session.screen)
