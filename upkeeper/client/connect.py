"""Which remediator a command works with: the running one over HTTP or, without one, the state directory itself."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

from exporter.base.file_lock import is_locked
from remediator import endpoints
from remediator.api.operations import Operations
from remediator.model.errors import EXIT_FAILED, EXIT_USAGE, ClientError
from remediator.statedir import StateDir
from upkeeper.client.http import DEFAULT_URL, HttpClient, operator_token

CONNECT_TIMEOUT = 2.0
"""Seconds within which a running remediator on this machine accepts a connection."""


async def running_url(state: StateDir) -> str | None:
    """The URL of the remediator that runs on the state directory, None when nothing answers there.

    A command that works by itself holds the lock too, and has no URL. Raises OSError when the directory cannot be read.
    """
    if not is_locked(state.lock):
        return None
    known = endpoints.read(state.root)
    url = (known.remediator if known else None) or DEFAULT_URL
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except (OSError, TimeoutError):
        return None
    writer.close()
    return url


@asynccontextmanager
async def connect(
    config: Path | None,
    state_dir: Path | None,
    url: str | None,
    *,
    engine: bool,
    reads: bool,
    verbose: bool,
    say: Callable[[str], None],
    env: Mapping[str, str] = os.environ,
) -> AsyncIterator[Operations]:
    """A client of the chosen remediator. ``say`` gets a sentence if none is running and the command works alone.

    engine: whether it must be able to start runs if no remediator is running. reads: it changes nothing, and so makes
    no state directory either. Raises ClientError, also for errors within the block.
    """
    state = StateDir.find(state_dir, env)
    try:
        url = url or await running_url(state)
    except OSError as error:
        raise ClientError(f"cannot read the state directory {state.root}: {error.strerror}", EXIT_USAGE) from error
    if url is not None:
        token = operator_token(url, env.get("UPKEEPER_TOKEN_FILE"), state.operator_token)
        async with HttpClient(url, token) as client:
            yield client
        return
    from exporter.base.memory import left_out

    with left_out("rich"):  # structlog would import it for tracebacks, which we do not print
        from exporter.base.log_setup import configure

    new = reads and _is_missing(state.root)
    say(f"no remediator is running: {'nothing is recorded in' if new else 'working directly on'} {state.root}")
    configure(level="debug" if verbose else "warning")
    with _nothing_yet() if new else nullcontext(state) as used:
        async with _alone(config, used, env, engine=engine) as core:
            yield core


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:  # it could not be made there either, and whoever uses it says why
        pass
    return False


@contextmanager
def _nothing_yet() -> Iterator[StateDir]:
    """An empty record for the time of one command."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="upkeeper-") as empty:
        yield StateDir(Path(empty))


@asynccontextmanager
async def _alone(
    config: Path | None, state: StateDir, env: Mapping[str, str], *, engine: bool
) -> AsyncIterator[Operations]:
    """A Core in this process. Turns its errors, and those within the block, into ClientError."""
    from sqlalchemy.exc import SQLAlchemyError

    from exporter.configfile.find import find_config
    from exporter.configfile.problem import ConfigError
    from remediator.control.opening import open_core
    from remediator.control.place import Place
    from remediator.store.room import no_room
    from remediator.store.unreachable import unreachable

    try:
        async with open_core(find_config(config, env), state.root, engine=engine) as core:
            yield core
    except ConfigError as error:
        raise ClientError(str(error), EXIT_USAGE) from error
    except OSError as error:
        full = no_room(error, state.root)
        raise full or ClientError(f"cannot use the state directory {state.root}: {error}", EXIT_USAGE) from error
    except SQLAlchemyError as error:
        if _is_held(error):
            message = f"another upkeeper command is using {state.database}; try again when it has finished"
            raise ClientError(message, EXIT_FAILED) from error
        place = Place.find(find_config(config, env), state)
        away = unreachable(error, place.database)
        raise away or ClientError(f"cannot use the record {state.database}: {error}", EXIT_FAILED) from error


def _is_held(error: Exception) -> bool:
    """Whether a database error says that another process kept the database locked for too long (SQLITE_BUSY)."""
    return bool(getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF == 5)
