"""``up``, ``exporter`` and ``remediator``: starting the services."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from upkeeper.commands.options import Decorator, Session, operation, shared


class AddressType(click.ParamType[str]):
    """An address to listen on: ``127.0.0.1:10746``, ``[::1]:10746`` or ``:10746``."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from exporter.base.listen import parse_listen

        try:
            parse_listen(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def _listen_option(default: str) -> Decorator:
    return click.option(
        "--listen",
        type=AddressType(),
        default=default,
        show_default=True,
        metavar="ADDRESS:PORT",
        help="Where to listen.",
    )


def _log_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--log.format",
        "log_format",
        type=click.Choice(["text", "json"]),
        help="How log lines look. Default: text on a terminal, else JSON.",
    )(command)


def _web_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--web.config.file",
        "web_config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="TLS and users, in the format of Prometheus's exporter-toolkit. Default: plain HTTP.",
    )(command)


@click.command()
@click.option(
    "--port-base",
    type=click.IntRange(1, 65532),
    default=10746,
    show_default=True,
    metavar="N",
    help="Exporter, remediator, Prometheus and Alertmanager listen on N, N+1, N+2 and N+3.",
)
@click.option("--no-prometheus", is_flag=True, help="Start neither Prometheus nor Alertmanager; say how to use yours.")
@_log_option
@shared("config", "state_dir", "verbose")
@operation
async def up(session: Session, port_base: int, no_prometheus: bool, log_format: str | None) -> None:
    """Start Prometheus, Alertmanager, exporter and remediator.

    Makes the credentials, starts the processes on loopback, keeps them running, and says what is watched. Ctrl-C or
    SIGTERM stops them all; the next start finds everything as it was.

    \b
    Examples:
      upkeeper up
      upkeeper up --config upkeeper.yml --port-base 20000
    """
    from upkeeper.up.main import up as run
    from upkeeper.up.prepare import UpOptions

    _logs(session, log_format)
    await run(UpOptions(session.config, session.state_dir, port_base, not no_prometheus, session.verbose, log_format))


@click.command()
@_listen_option("127.0.0.1:10746")
@_web_option
@_log_option
@shared("config", "state_dir", "verbose")
@operation
async def exporter(session: Session, listen: str, web_config: Path | None, log_format: str | None) -> None:
    """Start the exporter: it measures.

    It measures what the config names and what it discovers, in the background, and serves the figures on /metrics and
    the probes' results on /health. The config is read again on SIGHUP and when the file changes.

    \b
    Examples:
      upkeeper exporter --config upkeeper.yml
      upkeeper exporter --listen 10.0.0.5:10746 --web.config.file web.yml
    """
    from exporter.configfile.find import find_config
    from exporter.main import serve

    _logs(session, log_format)
    with _explained():
        await serve(find_config(session.config), listen, _drilled(session), web_config)


@click.command()
@_listen_option("127.0.0.1:10747")
@_web_option
@_log_option
@shared("config", "state_dir", "verbose")
@operation
async def remediator(session: Session, listen: str, web_config: Path | None, log_format: str | None) -> None:
    """Start the remediator: it acts.

    It takes alerts from Alertmanager, runs the task of the remedy that matches, checks that it helped, and keeps the
    record. Its credentials are made in the state directory at the first start.

    \b
    Example:
      upkeeper remediator --config upkeeper.yml --state-dir ~/upkeeper
    """
    from exporter.configfile.find import find_config
    from remediator.service import serve

    _logs(session, log_format)
    with _explained(session.state().root):
        await serve(find_config(session.config), session.state_dir, listen, web_config)


def _logs(session: Session, log_format: str | None) -> None:
    from exporter.base.log_setup import configure

    configure(None if log_format is None else log_format == "json", "debug" if session.verbose else "info")


def _drilled(session: Session) -> Path | None:
    """The state directory whose drill the exporter watches. None where the default one belongs to somebody else: what
    it cannot read would be reported as a fault.
    """
    root = session.state().root
    return root if session.state_dir is not None or not root.exists() or os.access(root, os.X_OK) else None


@contextmanager
def _explained(writes: Path | None = None) -> Iterator[None]:
    """What keeps a service from starting, as one line. writes: the directory it writes to. Raises ClientError."""
    from exporter.base.server import CannotListen
    from exporter.configfile.problem import ConfigError
    from remediator.model.errors import EXIT_USAGE, ClientError
    from remediator.store.room import no_room

    try:
        yield
    except (ConfigError, CannotListen, OSError) as error:
        full = None if writes is None else no_room(error, writes)
        raise full or ClientError(str(error), EXIT_USAGE) from error
