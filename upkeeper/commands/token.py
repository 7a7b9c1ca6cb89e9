"""``token``: who may ask the remediator for what."""

from typing import Literal

import click

from upkeeper.commands.control import DurationType
from upkeeper.commands.options import CLIENT, Session, operation, shared

ROLES = ("viewer", "operator", "alertmanager")


@click.group()
def token() -> None:
    """Make, list and revoke the tokens of the API.

    Each person and program gets a token of its own, with a name that the record shows: a viewer reads, an operator
    acts too, an alertmanager posts alerts and nothing else. Only a hash of it is stored. What changes is in force at
    once.

    \b
    Examples:
      upkeeper token create grafana --role viewer
      upkeeper token list
      upkeeper token revoke grafana
    """


@token.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["viewer", "operator", "alertmanager"]), required=True, help="What it may do."
)
@click.option("--expires", type=DurationType(), metavar="DURATION", help="After which it is void. Default: never.")
@shared(*CLIENT)
@operation
async def create(
    session: Session, name: str, role: Literal["viewer", "operator", "alertmanager"], expires: float | None
) -> None:
    """Make a token, which is shown this once.

    The token is printed on stdout, alone, so that it can go into a file that only its owner can read. For a command on
    another machine, UPKEEPER_TOKEN_FILE names that file.

    \b
    Examples:
      (umask 077; upkeeper token create laptop --role operator --expires 90d > laptop.token)
      upkeeper token create grafana --role viewer
    """
    from upkeeper.screens import tokens as view

    async with session.client() as client:
        view.show_new_token(session.screen, await client.create_token(name, role, expires))


@token.command("list")
@shared(*CLIENT)
@operation
async def list_(session: Session) -> None:
    """List the tokens, newest first.

    Those in the files tokens/operator and tokens/alertmanager of the state directory are not among them: they have
    these names, and are in force as long as their files are.

    \b
    Example:
      upkeeper token list
    """
    from upkeeper.screens import tokens as view

    async with session.client(reads=True) as client:
        view.show_tokens(session.screen, await client.tokens())


@token.command()
@click.argument("name")
@shared(*CLIENT)
@operation
async def revoke(session: Session, name: str) -> None:
    """Revoke a token, which is void at once.

    What it was used for stays in the record under its name. A new token may have the same name.

    \b
    Example:
      upkeeper token revoke grafana
    """
    from upkeeper.screens import tokens as view

    async with session.client() as client:
        view.show_tokens(session.screen, await client.revoke_token(name))
