"""``status``: everything at a glance."""

from dataclasses import replace

import click

from upkeeper.commands.options import CLIENT, Session, operation, shared


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Also list what is healthy, and the remedies.")
@shared(*CLIENT)
@operation
async def status(session: Session, everything: bool) -> int:
    """Show what is wrong, and what is being done about it.

    Asks every probe and container now, as `upkeeper run health-check` does, and looks at what the exporter measures,
    the alerts that fire, pauses, open breakers and the last runs. What is wrong comes first, the worst before the rest;
    what is healthy is only counted. If a part of the stack is down, it says so and shows what the others know. The
    exit status is 1 when a person should look.

    \b
    Examples:
      upkeeper status
      upkeeper status --all
      upkeeper status > /tmp/now || mail -s "upkeeper" me@example.org < /tmp/now
    """
    from remediator.endpoints import running_config
    from upkeeper.look.stackurls import stack_urls
    from upkeeper.look.status import look
    from upkeeper.screens.status import show_status

    if session.url is not None:
        async with session.client(reads=True) as client:
            seen = await look(client, None)
    else:
        state = session.state()
        session = replace(session, config=session.config or running_config(state.root))
        async with session.client(reads=True) as client:
            urls, guess = stack_urls(state, session.config)
            seen = await look(client, urls, guess)
    show_status(session.screen, seen, everything=everything)
    return 1 if seen["problems"] else 0
