"""``mcp``: what can be read, for an AI assistant."""

import click

from upkeeper.commands.options import CLIENT, Session, operation, shared


@click.command()
@shared(*CLIENT)
@operation
async def mcp(session: Session) -> None:
    """Serve what can be read to an AI assistant (MCP, over stdio).

    Speaks the Model Context Protocol on standard input and output, as an assistant starts it. Its tools are the
    operations of the API that only read, such as status, alerts, runs, explain and plan; nothing that acts. The
    token of a viewer is enough for all but explain and plan. It ends when its input does.

    \b
    Examples:
      upkeeper mcp
      UPKEEPER_TOKEN_FILE=night-shift upkeeper mcp --url http://127.0.0.1:10747
    """
    from exporter.base.log_setup import configure
    from upkeeper.mcp.stdio import serve

    configure()  # on standard error: standard output is the protocol's
    await serve(lambda: session.client(reads=True))
