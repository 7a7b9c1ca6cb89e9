"""``backtest``: what remedies would have done about the alerts that Prometheus remembers."""

from typing import TYPE_CHECKING

import click

from upkeeper.commands.options import Session, operation, shared

if TYPE_CHECKING:
    from remediator.backtest.replay import Assume


def _seconds(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    from exporter.base.units import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    if not isinstance(seconds, float) or seconds < 0:
        raise click.BadParameter(f"{text!r} is not a duration; write for example 30d or 12h", ctx, param)
    return seconds


@click.command()
@click.option(
    "--since", default="30d", show_default=True, metavar="DURATION", callback=_seconds, help="How far to look back."
)
@click.option(
    "--step", metavar="DURATION", callback=_seconds, help="Between evaluations of alerts. Default: as Prometheus says."
)
@click.option(
    "--assume",
    type=click.Choice(["effective", "ineffective"]),
    default="effective",
    show_default=True,
    help="What every run is taken to do: end its alert, or change nothing.",
)
@click.option(
    "--run-takes", default="30s", show_default=True, metavar="DURATION", callback=_seconds, help="How long a run takes."
)
@click.option("--prometheus", metavar="URL", help="Default: the config's, or the one that `upkeeper up` started.")
@shared("config", "state_dir", "json", "verbose")
@operation
async def backtest(
    session: Session, since: float, step: float | None, assume: "Assume", run_takes: float, prometheus: str | None
) -> None:
    """Tell what the remedies would have done about past alerts.

    Reads the history of alerts from Prometheus and replays it through the functions and guards that decide about
    alerts, with a clock and a record of its own: how often each remedy would have run, what would have held it back,
    which alerts none matches. Nothing is run and nothing recorded. Try a config with `--config` before you put it in
    force.

    \b
    Examples:
      upkeeper backtest --since 30d
      upkeeper backtest --config new.yml --assume ineffective --json
    """
    from upkeeper.look.backtest import run_backtest
    from upkeeper.screens.backtest import reading, show_backtest

    screen = session.screen
    with reading(screen) as progress:
        view = await run_backtest(
            session.config,
            session.state(),
            since=since,
            step=step,
            assume=assume,
            took=run_takes,
            url=prometheus,
            progress=progress,
        )
    show_backtest(screen, view)
