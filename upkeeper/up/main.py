"""The entry of `upkeeper up`: prepares everything, and becomes the small program that supervises."""

import ctypes
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from exporter.configfile.problem import ConfigError
from remediator.control.opening import locked
from remediator.control.place import Place
from remediator.model.errors import EXIT_USAGE, ClientError, NoRoom
from remediator.statedir import StateDir
from remediator.store.ballast import Ballast
from remediator.store.database import Database
from remediator.store.room import no_room
from remediator.store.unreachable import unreachable
from upkeeper.up.lock import hold
from upkeeper.up.plan import plan
from upkeeper.up.prepare import OUR_CODE, Prepared, UpOptions

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h; kept over execve (prctl(2))
_SUPERVISE = """\
import sys; sys.path.insert(0, sys.argv[1])
from upkeeper.up.supervise.program import main; sys.exit(main(int(sys.argv[2])))"""


async def up(options: UpOptions, env: Mapping[str, str] = os.environ) -> NoReturn:
    """Starts everything and runs until SIGTERM or SIGINT.

    The exit status: 0 when all ended as they were told to, 1 when one had to be killed or ended before it was ready.
    Raises ClientError when it cannot start: the config is wrong, a program is missing, a port is taken, or another
    `up` holds the state directory.
    """
    try:
        prepared = Prepared.from_options(options, env)
        prepared.layout.state.ensure()
        lock = hold(prepared.layout.lock)
        prepared.require_free_ports()
        Ballast(prepared.layout.state.root).with_room(prepared.write_configs)
        await _migrate(prepared.layout.state, Place.of(prepared.config, prepared.layout.state))
    except SQLAlchemyError as error:
        away = unreachable(error, Place.of(prepared.config, prepared.layout.state).database)
        raise away or ClientError(str(error), EXIT_USAGE) from error
    except (ConfigError, OSError) as error:
        full = no_room(error, StateDir.find(options.state_dir, env).root)
        raise full or ClientError(str(error), EXIT_USAGE) from error
    os.set_inheritable(lock, True)
    _become_supervisor(json.dumps(plan(prepared, lock)).encode())


async def _migrate(state: StateDir, place: Place) -> None:
    """Brings the tables up to date here, in a process that ends: what that takes would stay with the remediator."""
    with locked(state):
        database = Database(place.database, make_room=Ballast(state.root).release, host=place.host)
        try:
            with suppress(NoRoom):  # the remediator says so, and waits for room
                await database.migrate()
        finally:
            await database.close()


def _become_supervisor(document: bytes) -> NoReturn:
    descriptor = os.memfd_create("plan", 0)
    os.write(descriptor, document)
    os.lseek(descriptor, 0, os.SEEK_SET)
    libc = ctypes.CDLL(None, use_errno=True)
    # The services are started by a process that ends, and are then to be ours.
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise ClientError(f"cannot start: prctl: {os.strerror(ctypes.get_errno())}", EXIT_USAGE)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", _SUPERVISE, str(OUR_CODE), str(descriptor)])  # noqa: S606
