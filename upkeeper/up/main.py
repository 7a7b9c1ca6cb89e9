"""The entry of `upkeeper up`."""

import os
from collections.abc import Mapping
from contextlib import ExitStack

from exporter.configfile.problem import ConfigError
from remediator.model.errors import EXIT_USAGE, ClientError
from upkeeper.screens.screen import Screen
from upkeeper.up.lock import held
from upkeeper.up.prepare import Prepared, UpOptions
from upkeeper.up.stack import Stack


async def up(options: UpOptions, screen: Screen, env: Mapping[str, str] = os.environ) -> int:
    """Starts everything and runs until SIGTERM or SIGINT.

    Returns the exit status: 0 when all ended as they were told to, 1 when one had to be killed.
    Raises ClientError when it cannot start: the config is wrong, a program is missing, a port is taken, another `up`
    holds the state directory, or a process ended before it was ready.
    """
    with ExitStack() as lock:
        try:
            prepared = Prepared.from_options(options, env)
            prepared.layout.state.ensure()
            lock.enter_context(held(prepared.layout.lock))
            prepared.require_free_ports()
            prepared.lay()
        except (ConfigError, OSError) as error:
            raise ClientError(str(error), EXIT_USAGE) from error
        return await Stack(prepared, screen).run()
