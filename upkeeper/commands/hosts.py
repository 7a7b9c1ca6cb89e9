"""``hosts``: the machines that share a record."""

import click

from upkeeper.commands.options import CLIENT, Session, operation, shared

host_option = click.option("--host", metavar="HOST", help="Only those of this host.")


@click.command()
@shared(*CLIENT)
@operation
async def hosts(session: Session) -> None:
    """List the hosts that share a database, and how busy each is.

    A host is up while its remediator gives a sign of life every 20 seconds. Without a database that hosts share there
    is only this machine. docs/how-to/fleet.md tells how several share one.

    \b
    Examples:
      upkeeper hosts
      upkeeper history --host web-2
      upkeeper run health-check --host web-2
    """
    from upkeeper.screens import hosts as view

    async with session.client(reads=True) as client:
        view.show_hosts(session.screen, await client.hosts())
