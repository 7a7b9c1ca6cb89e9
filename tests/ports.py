"""Free TCP ports for test servers, each handed to one process only.

A port is free between the moment it is chosen and the moment a server listens on it, and again while a test starts its
server anew: whoever else chooses by "is it free" may choose it then, and one test talks to another's server. So each
process takes a block of ports for itself, by a lock that ends with it, and goes round in it.
"""

import fcntl
import os
import socket
import tempfile
import weakref
from pathlib import Path

FIRST, LAST = 15_000, 32_000
"""Below those that the kernel gives to outgoing connections (32768 and up): a client that polls a port nobody listens
on yet could otherwise be given that very port, or its neighbour, to come from."""
SIZE = 200
"""Ports of a block: more than the servers that one process has at a time."""


class Ports:
    """The ports of one block that no other process has, by a lock below ``claims``."""

    def __init__(self, claims: Path) -> None:
        claims.mkdir(exist_ok=True)
        for block in range(FIRST, LAST - SIZE + 1, SIZE):
            claim = os.open(claims / str(block), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(claim)
                continue
            weakref.finalize(self, os.close, claim)
            self._start = self._next = block
            return
        raise AssertionError(f"other processes have all blocks of ports below {claims}")

    def take(self, count: int) -> int:
        """The first of ``count`` consecutive ports of 127.0.0.1 that are free and were given out longest ago."""
        for _ in range(2 * SIZE):
            if self._next + count > self._start + SIZE:
                self._next = self._start
            base = self._next
            taken = next((port for port in reversed(range(base, base + count)) if not _is_free(port)), None)
            if taken is None:
                self._next = base + count
                return base
            self._next = taken + 1
        raise AssertionError(f"no {count} consecutive free ports from {self._start} to {self._start + SIZE - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_own: tuple[int, Ports] | None = None


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on and no other process of tests is given."""
    return free_port_range(1)


def free_port_range(count: int) -> int:
    """The first of ``count`` consecutive TCP ports, each as `free_port` gives them."""
    global _own
    if _own is None or _own[0] != os.getpid():  # what was forked shares its parent's lock, and needs a block of its own
        _own = os.getpid(), Ports(Path(tempfile.gettempdir()) / f"upkeeper-test-ports-{os.getuid()}")
    return _own[1].take(count)
