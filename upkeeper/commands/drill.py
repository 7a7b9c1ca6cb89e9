"""``drill``: a fire drill of the running stack."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from upkeeper.commands.control import DurationType
from upkeeper.commands.options import CLIENT, Session, operation, shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upkeeper.drill.drill import Report
    from upkeeper.drill.facts import ServiceName


@click.command()
@click.option(
    "--timeout",
    "seconds",
    type=DurationType(),
    default="180s",
    show_default=True,
    metavar="DURATION",
    help="How long it may take from the breach to the end of the alert.",
)
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also draw the result.")
@click.option("--exporter-url", metavar="URL", help="The exporter, if `upkeeper up` does not name it.")
@click.option(
    "--prometheus-url",
    metavar="URL",
    help="The Prometheus, if `upkeeper up` and the config's prometheus.url do not name it.",
)
@click.option("--alertmanager-url", metavar="URL", help="The Alertmanager, likewise.")
@shared(*CLIENT)
@operation
async def drill(
    session: Session,
    seconds: float,
    svg: Path | None,
    exporter_url: str | None,
    prometheus_url: str | None,
    alertmanager_url: str | None,
) -> int:
    """Rehearse a breach on the running stack, end to end.

    Fills a scratch log directory of its own over its limit, and follows that through every station: measured, pending,
    firing, notified, accepted, planned, applied, verified, resolved. If it gets stuck, it says where, why, and what to
    do. It touches nothing of yours and leaves nothing behind, even when interrupted.

    \b
    Examples:
      upkeeper drill
      upkeeper drill --timeout 10m --prometheus-url http://127.0.0.1:9090
    """

    named: Mapping[ServiceName, str | None] = {
        "exporter": exporter_url,
        "prometheus": prometheus_url,
        "alertmanager": alertmanager_url,
    }
    report = await _drill(session, seconds, named)
    session.screen.document(report.document())
    if svg is not None:
        _draw(session, report, svg)
    return 0 if report.stuck is None else 1


async def _drill(session: Session, seconds: float, named: "Mapping[ServiceName, str | None]") -> "Report":
    import httpx

    from remediator.peers.http import verification
    from remediator.statedir import DRILL_TARGET
    from upkeeper.client.http import HttpClient, operator_token
    from upkeeper.drill.addresses import addresses
    from upkeeper.drill.drill import Drill
    from upkeeper.drill.interrupt import interruptible
    from upkeeper.drill.sources import Sources
    from upkeeper.screens.drill import watching

    state = session.state()
    urls = addresses({**named, "remediator": session.url}, state, session.config, os.environ)
    token = operator_token(urls["remediator"], os.environ.get("UPKEEPER_TOKEN_FILE"), state.operator_token)
    async with (
        interruptible(),
        httpx.AsyncClient(timeout=5, trust_env=False, verify=verification(urls.values())) as http,
        HttpClient(urls["remediator"], token, timeout=5) as client,
    ):
        with watching(session.screen) as watch:
            return await Drill(state, Sources(http, client, urls, DRILL_TARGET, state.root), watch, seconds).run()


def _draw(session: Session, report: "Report", path: Path) -> None:
    from remediator.model.errors import EXIT_FAILED, ClientError
    from upkeeper.screens.drill import picture, show_written

    try:
        path.write_text(picture(report))
    except OSError as error:
        raise ClientError(f"cannot write the picture: {error}", EXIT_FAILED) from error
    show_written(session.screen, str(path))
