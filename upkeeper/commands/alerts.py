"""``alerts`` and ``decisions``: what came in, and what was decided."""

import click

from upkeeper.commands.hosts import host_option
from upkeeper.commands.options import CLIENT, Session, operation, shared

limit_option = click.option(
    "-n", "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many, newest first."
)
before_option = click.option(
    "--before", type=click.IntRange(1), metavar="ID", help="Only those older than this one; `next` of a page's JSON."
)


@click.command()
@host_option
@limit_option
@before_option
@shared(*CLIENT)
@operation
async def alerts(session: Session, host: str | None, limit: int, before: int | None) -> None:
    """List the alerts that were received.

    One line per episode: an alert that ended and fired again starts a new one. Repeats by Alertmanager
    are counted.

    \b
    Example:
      upkeeper alerts -n 5
    """
    from upkeeper.screens import alerts as view

    async with session.client(reads=True) as client:
        view.show_alerts(session.screen, await client.alerts(limit=limit, before=before, host=host))


@click.command()
@host_option
@limit_option
@before_option
@shared(*CLIENT)
@operation
async def decisions(session: Session, host: str | None, limit: int, before: int | None) -> None:
    """List what was decided about each alert, and why.

    Each remedy that an alert matches runs, observes, is blocked by a guard or has no target; an alert that matches none
    is unmatched, and in a fleet one that names no host says so. While the alert fires it is looked at again, and the
    list tells when, or after which event.

    \b
    Example:
      upkeeper decisions --json
    """
    from upkeeper.screens import alerts as view

    async with session.client(reads=True) as client:
        view.show_decisions(session.screen, await client.decisions(limit=limit, before=before, host=host))
