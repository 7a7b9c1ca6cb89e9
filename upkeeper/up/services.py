"""Starts services of ours from one process that has imported what they share, and ends.

``python -m upkeeper.up.services PARENT {"NAME": [ARGUMENT, ...], ...}`` writes a line ``NAME PID`` to descriptor 3 for
each. What it has imported, some 20 MB, lies in memory once for all of them. PARENT, which gets them when this process
ends (it must be a child subreaper, prctl(2)), is what they are tied to.
"""

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence

from exporter.base.memory import leave_out

TOLD = 3
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

SHARED = (
    "upkeeper.cli",
    "upkeeper.commands.services",
    "exporter.base.metrics_response",
    "exporter.base.server",
    "exporter.configfile.reload",
    "exporter.docker.engine",
    "exporter.findings.audit",
    "exporter.inventory.inventory",
    "exporter.logdirs.usage",
    "exporter.probing.run",
)
"""What both import. What only one of them needs would be in memory twice: Python writes reference counts into what it
only reads, and the page that this changes is kept for the other one."""


def main(arguments: Sequence[str]) -> None:
    """Starts them and ends."""
    parent, wanted = int(arguments[0]), json.loads(arguments[1])
    leave_out("rich")
    for module in SHARED:
        importlib.import_module(module)
    # What is there by now stays: a collection in one of them would walk it, and so take a copy of its own.
    gc.collect()
    gc.freeze()
    starter = os.getpid()
    for name, argv in wanted.items():
        pid = os.fork()
        if pid == 0:
            _become(argv, starter, parent)
        os.write(TOLD, f"{name} {pid}\n".encode())
    os._exit(0)


def _become(argv: Sequence[str], starter: int, parent: int) -> None:
    """Runs a command of ours in this process, which is a child's by now, and ends it."""
    os.close(TOLD)
    os.setsid()
    while os.getppid() == starter:  # then the supervisor has it, or is gone
        time.sleep(0.001)
    _tie_to(parent)
    _show_as(argv)
    from upkeeper.cli import cli

    status = 1
    try:
        cli.main(list(argv))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - told as Python tells it, before this process ends
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _tie_to(parent: int) -> None:
    """Ends this process when that one does, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    # SIGKILL, because nobody is left to insist; what we start bears it: the engine is durable.
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(1)  # the parent ended before this process was tied to it


def _show_as(argv: Sequence[str]) -> None:
    """What `ps` and `top` show: this service, and not the starter of both."""
    os.environ["SPT_NOENV"] = "1"  # the environment stays where it is read from outside
    from setproctitle import setproctitle

    setproctitle(" ".join(["upkeeper", *argv]))


if __name__ == "__main__":
    main(sys.argv[1:])
