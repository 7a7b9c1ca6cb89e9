"""``status``: everything at a glance."""

import click

from upkeeper.commands.options import CLIENT, Session, operation, shared


@click.command()
@shared(*CLIENT)
@operation
async def status(session: Session) -> int:
    """Show what is up, paused, running and broken.

    The services, the queue, pauses, open breakers, the last runs, and how each remedy has done. The exit status is 1
    when a person should look: a service that is down, an open breaker.

    \b
    Example:
      upkeeper status || mail -s "upkeeper" me@example.org < /dev/null
    """
    from upkeeper.look.status import look
    from upkeeper.screens.status import show_status

    async with session.client() as client:
        seen = await look(client, session.state().root if session.url is None else None)
    show_status(session.screen, seen)
    return 1 if seen["problems"] else 0
