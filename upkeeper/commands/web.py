"""``check-web`` and ``hash-password``: the web config file, which holds TLS and users."""

import sys
from pathlib import Path

import click

from upkeeper.commands.options import Session, operation, shared

LEAST_COST, USUAL_COST, MOST_COST = 4, 10, 17
"""bcrypt's minimum; what exporter-toolkit's documentation uses, some 60 ms; htpasswd's maximum, some 8 s."""


@click.command("check-web")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@shared("json")
@operation
async def check_web(session: Session, file: Path) -> int:
    """Check a web config file: TLS, users, headers.

    It reads what --web.config.file of the services reads, in the format of Prometheus's exporter-toolkit, with the
    certificates that it names. Each mistake is reported with file, line, key and remedy. The exit status is
    2 when there is a mistake.

    \b
    Example:
      upkeeper check-web /etc/upkeeper/web.yml
    """
    from exporter.web.findings import check
    from remediator.model.errors import EXIT_USAGE
    from upkeeper.screens.configuration import show_problems

    problems = check(file)
    show_problems(session.screen, file, problems)
    return EXIT_USAGE if any(problem.severity == "error" for problem in problems) else 0


@click.command("hash-password")
@click.option(
    "--cost",
    type=click.IntRange(LEAST_COST, MOST_COST),
    default=USUAL_COST,
    show_default=True,
    metavar="N",
    help="How costly a guess is: each step doubles it.",
)
@shared("json")
@operation
async def hash_password(session: Session, cost: int) -> None:
    """Make the hash of a password for a web config.

    It asks for the password twice on a terminal, and else reads it from the first line of stdin, so that it stands in
    no history and no list of processes. It prints the bcrypt hash, to be put behind a name in basic_auth_users.

    \b
    Examples:
      upkeeper hash-password
      head -c 24 /dev/urandom | base64 | tee password | upkeeper hash-password
    """
    import bcrypt

    from remediator.model.errors import EXIT_USAGE, ClientError

    password = _password().encode("utf-8", "surrogateescape")
    if not password:
        raise ClientError("the password is empty", EXIT_USAGE)
    if len(password) > 72:
        raise ClientError("the password is longer than 72 bytes, and bcrypt ignores the rest", EXIT_USAGE)
    hashed = bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode("ascii")
    session.screen.document({"hash": hashed})
    session.screen.line(hashed)


def _password() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return password
    return sys.stdin.readline().rstrip("\r\n")
