"""The entry of `upkeeper up`."""

import os
from collections.abc import Mapping
from contextlib import ExitStack

from exporter.configuration.problem import ConfigError
from remediator.errors import EXIT_USAGE, ClientError
from remediator.statedir import StateDir
from remediator.store.room import no_room
from remediator.up.lock import held
from remediator.up.prepare import Prepared, UpOptions
from remediator.up.stack import Stack
from remediator.views.screen import Screen


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
            full = no_room(error, StateDir.find(options.state_dir, env).root)
            raise full or ClientError(str(error), EXIT_USAGE) from error
        return await Stack(prepared, screen).run()
