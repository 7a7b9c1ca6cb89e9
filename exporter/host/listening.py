"""Ports at which something waits to be reached, through psutil."""

from collections.abc import Iterator
from typing import NamedTuple

import psutil


class Waiting(NamedTuple):
    """One socket. protocol: ``tcp`` or ``udp``. pid: None where it may not be known, or the kernel itself has it."""

    protocol: str
    address: str
    port: int
    pid: int | None


def listening() -> Iterator[Waiting]:
    """TCP that listens, and UDP that is bound and talks to no one peer. Blocks. Raises psutil.Error, OSError."""
    for one in psutil.net_connections(kind="inet"):
        tcp = one.type.name == "SOCK_STREAM"
        if one.laddr and (one.status == psutil.CONN_LISTEN if tcp else not one.raddr):
            yield Waiting("tcp" if tcp else "udp", one.laddr.ip, one.laddr.port, one.pid)
