"""The other end of sd_notify(3): a datagram socket as systemd has it, read by a test."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class ManagerSocket:
    """What has arrived on it, line by line, in ``heard``."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self.path))

    def environ(self, watchdog: float | None = None) -> Mapping[str, str]:
        """What systemd puts into the environment of a service. watchdog: seconds."""
        beats = {} if watchdog is None else {"WATCHDOG_USEC": str(int(watchdog * 1e6))}
        return {"NOTIFY_SOCKET": str(self.path), **beats}

    def listen(self) -> list[str]:
        """All that was heard until now."""
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.heard

    def close(self) -> None:
        self._socket.close()
        os.unlink(self.path)


@contextmanager
def manager_socket(directory: Path) -> Iterator[ManagerSocket]:
    made = ManagerSocket(directory)
    try:
        yield made
    finally:
        made.close()
