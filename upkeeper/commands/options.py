"""The options that commands share, the same everywhere, and the frame that a command runs in."""

import functools
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remediator.model.errors import ClientError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from remediator.api.operations import Operations
    from remediator.statedir import StateDir
    from upkeeper.screens.screen import Screen

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Session:
    """What the shared options say. Those that a command does not have are None or False."""

    config: Path | None = None
    state_dir: Path | None = None
    url: str | None = None
    json: bool = False
    verbose: bool = False

    @property
    def screen(self) -> "Screen":
        """Where the command's output goes."""
        from upkeeper.screens.screen import Screen

        return Screen(self.json)

    def state(self) -> "StateDir":
        """The state directory that the options mean."""
        from remediator.statedir import StateDir

        return StateDir.find(self.state_dir, os.environ)

    def client(self, *, engine: bool = False, reads: bool = False) -> "AbstractAsyncContextManager[Operations]":
        """The remediator that the options mean.

        engine: whether it must be able to start runs if no remediator is running. reads: the command changes nothing.
        """
        from upkeeper.client.connect import connect

        say = self.screen.note
        return connect(self.config, self.state_dir, self.url, engine=engine, reads=reads, verbose=self.verbose, say=say)


# Whether a path can be read is found out by reading it: access(2), which click asks, does not know of capabilities.
SHARED: dict[str, Decorator] = {
    "config": click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False, readable=False),
        metavar="FILE",
        envvar="UPKEEPER_CONFIG",
        show_envvar=True,
        help="The config file. Default: the system's or the user's upkeeper.yml, if there is one.",
    ),
    "state_dir": click.option(
        "--state-dir",
        type=click.Path(path_type=Path, file_okay=False, readable=False),
        metavar="DIR",
        envvar="UPKEEPER_STATE_DIR",
        show_envvar=True,
        help="The state directory. Default: /var/lib/upkeeper as root, else below the user's own state directory.",
    ),
    "url": click.option(
        "--url",
        metavar="URL",
        envvar="UPKEEPER_URL",
        show_envvar=True,
        help="The remediator to talk to. Default: the one that runs on the state directory.",
    ),
    "json": click.option("--json", is_flag=True, help="Print one JSON document on stdout, all else on stderr."),
    "verbose": click.option("-v", "--verbose", is_flag=True, help="Log more, to stderr."),
}


def _parameters(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} must be KEY=VALUE", ctx, param)
        if name in found:
            raise click.BadParameter(f"{name} is given twice", ctx, param)
        found[name] = value
    return found


def pairs_option(*names: str, help: str) -> Decorator:
    """An option that takes NAME=VALUE any number of times, as a mapping."""
    return click.option(*names, multiple=True, metavar="KEY=VALUE", callback=_parameters, help=help)


params_option = pairs_option(
    "-p", "--param", "params", help="One of the task's own parameters. May be given several times."
)

CLIENT = ("config", "state_dir", "url", "json", "verbose")
"""The options of a command that talks to a remediator, or works by itself where none runs."""


def shared(*names: str) -> Decorator:
    """Adds shared options to a command, in the order given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            function = SHARED[name](function)
        return function

    return decorate


def operation(body: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., int | None]:
    """Makes a command's callback of a coroutine function that takes the Session first.

    Its result is the exit status. With ``--json`` a ClientError is also the one document on stdout.
    """

    @functools.wraps(body)
    def callback(**values: Any) -> int | None:
        import asyncio

        session = Session(**{name: values.pop(name) for name in SHARED if name in values})
        try:
            return asyncio.run(body(session, **values))
        except ClientError as error:
            if session.json:
                session.screen.document(error.document())
            raise

    return callback
