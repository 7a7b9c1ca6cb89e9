"""A Core for a command that works without a remediator, and the lock that keeps others away from its state."""

import os
import pwd
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from remediator.control.core import Core
from remediator.control.place import Place
from remediator.model.caller import Caller
from remediator.statedir import StateDir

if TYPE_CHECKING:
    from remediator.control.settings import Settings


@contextmanager
def locked(state: StateDir) -> Iterator[None]:
    """Keeps a second engine away from the same state. Raises ClientError if one is already running."""
    descriptor = state.hold()
    try:
        yield
    finally:
        os.close(descriptor)


def operator() -> str:
    """The name of the user that this process runs as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, the user need not be in /etc/passwd
        return str(os.getuid())


@asynccontextmanager
async def open_core(config_path: Path | None, state_dir: Path | None, *, engine: bool) -> AsyncIterator[Core]:
    """A Core on a state directory, made if it is missing, for a command that works without a remediator.

    engine: whether it can run tasks; then it holds the state's lock. Raises ClientError if that is held already,
    OSError and, as its operations do, ConfigError.
    """
    state = StateDir.find(state_dir, os.environ)
    state.ensure()
    loaded: list[Settings] = []

    def load() -> "Settings":
        from remediator.control.settings import Settings

        loaded.append(Settings.load(config_path, state))
        return loaded[-1]

    core = Core(state, load, caller=Caller("cli", operator()), place=Place.find(config_path, state))
    with locked(state) if engine else nullcontext():
        try:
            if engine:
                await core.membership.claim()
            await core.open()
            if engine:
                await core.start_engine()
            yield core
        finally:
            await core.close()
            for settings in loaded:
                settings.close()
