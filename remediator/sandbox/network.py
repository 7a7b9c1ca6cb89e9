"""Work in the network of a container: its sockets are opened there, and nothing listens on this machine for it.

The thread that enters a network never leaves it, so it is one of its own, which ends with the work. Threads that it
starts are in that network too.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from exporter.base.errors import UpkeeperError

_T = TypeVar("_T")
_CLONE_NEWNET = 0x40000000
"""Of <linux/sched.h>. os.setns came with Python 3.12."""


class NoNetwork(UpkeeperError):
    """The network of a container cannot be entered. The message says why, and what helps."""


def open_network(pid: int) -> int:
    """A handle of the network of a process, which is another one than ours; close it. Blocks. Raises NoNetwork."""
    try:
        handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NoNetwork(
            f"the network of process {pid} cannot be opened ({error.strerror}): Upkeeper must see the engine's "
            "processes, and a container of its own needs pid: host"
        ) from None
    if os.fstat(handle).st_ino == Path("/proc/self/ns/net").stat().st_ino:
        os.close(handle)
        raise NoNetwork(f"process {pid} is in the network of this machine, and no container of a sandbox")
    return handle


def within(handle: int, work: Callable[[], _T]) -> _T:
    """What the work returns or raises, done in that network. Blocks. Raises NoNetwork."""
    done: list[_T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            _enter(handle)
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - raised by who waits for it
            failed.append(error)

    thread = threading.Thread(target=run, name="in a sandbox's network")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _enter(handle: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(handle, _CLONE_NEWNET) != 0:
        raise NoNetwork(f"the network of the container cannot be entered: {os.strerror(ctypes.get_errno())}")
