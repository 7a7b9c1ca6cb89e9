"""The four ports: which they are, and who holds one that should be free."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import psutil

from remediator.model.errors import EXIT_USAGE, ClientError

DEFAULT_BASE = 10746
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """The ports on loopback, one after the other."""

    exporter: int
    remediator: int
    prometheus: int
    alertmanager: int

    @classmethod
    def from_base(cls, base: int) -> Self:
        """The four from ``base`` on. Raises ClientError when they are not all port numbers."""
        if not 1 <= base <= 65535 - 3:
            raise ClientError(f"--port-base {base}: four ports from there on must lie in 1 to 65535", EXIT_USAGE)
        return cls(base, base + 1, base + 2, base + 3)


def url(port: int) -> str:
    """The base URL of what listens on the port, without a trailing slash."""
    return f"http://{LOOPBACK}:{port}"


def require_free(wanted: Mapping[str, int]) -> None:
    """Checks that each port (by the name of who needs it) can be listened on.

    Raises ClientError that names every one that cannot, with the process that uses it as far as this user may know.
    """
    problems = [f"port {port}, for {name}, {reason}" for name, port in wanted.items() if (reason := _refusal(port))]
    if problems:
        advice = "Stop that process, or choose other ports with --port-base."
        raise ClientError("\n".join([*problems, advice]), EXIT_USAGE)


def _refusal(port: int) -> str | None:
    with socket.socket() as listener:
        # As the servers do: a connection that lingers after its end does not keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"is in use by {holder(port)}"
            return f"cannot be used: {error.strerror}"
    return None


def holder(port: int) -> str:
    """Who listens on a TCP port, for people: ``nginx (pid 812)``."""
    try:
        pids = {
            connection.pid
            for connection in psutil.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        }
        known = sorted(pid for pid in pids if pid is not None)
        if known:
            return ", ".join(f"{psutil.Process(pid).name()} (pid {pid})" for pid in known)
    except psutil.Error:
        return "an unknown process"
    return f"a process of another user (as root, `ss -ltnp 'sport = :{port}'` names it)"
