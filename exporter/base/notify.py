"""What systemd is told of a service: sd_notify(3), spoken by ourselves, as it is one datagram.

The beat comes from the event loop. One that hangs is silent, and systemd starts the service again after WatchdogSec=.
"""

import asyncio
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Self

import structlog

log = structlog.get_logger(__name__)

_BEATS = 3
"""In the time that systemd waits for one: one that comes late, or is lost on a full socket, is no end."""
_STARTING = 5.0
"""Seconds between two signs of life before the service is ready."""
_EXTENSION = 60
"""Seconds that each of them asks for."""


class Notifier:
    """Tells the manager that started this process, if it wants to be told. Nothing of it ever blocks or raises.

    address: as NOTIFY_SOCKET has it, None where nobody listens. watchdog: seconds within which a beat must come, None
    for no watchdog.
    """

    def __init__(self, address: str | None = None, watchdog: float | None = None) -> None:
        self._address = address
        self._watchdog = watchdog
        self._ready = False
        self._complained = False
        self._beating: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, environ: MutableMapping[str, str] = os.environ) -> Self:
        """As the environment says. Its variables are taken out of it: they are not meant for programs that we start."""
        address = environ.pop("NOTIFY_SOCKET", "") or None
        microseconds, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        meant = address is not None and microseconds.isdecimal() and pid in ("", str(os.getpid()))
        return cls(address, int(microseconds) / 1e6 if meant and int(microseconds) else None)

    def start(self) -> None:
        """Begins to beat. Until ready() is said, each beat asks for more time: a start that waits, such as for room on
        a full disk, is no start that hangs.
        """
        if self._address is not None and self._beating is None:
            self._beating = asyncio.get_running_loop().create_task(self._beat(), name="sd_notify")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._say(f"STATUS={' '.join(text.split())}")

    def ready(self, status: str = "") -> None:
        """The service does its work."""
        self._ready = True
        self._say("READY=1", f"STATUS={status}")

    def stopping(self) -> None:
        """The service is ending. It goes on to beat until it is gone."""
        self._say("STOPPING=1", "STATUS=")

    async def close(self) -> None:
        """Ends the beat."""
        beating, self._beating = self._beating, None
        if beating is not None:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating

    async def _beat(self) -> None:
        while True:
            lines = [] if self._ready else [f"EXTEND_TIMEOUT_USEC={_EXTENSION * 10**6}"]
            if self._watchdog is not None:
                lines.append("WATCHDOG=1")
            if lines:
                self._say(*lines)
            pause = _STARTING if self._watchdog is None else self._watchdog / _BEATS
            await asyncio.sleep(pause if self._ready else min(pause, _STARTING))

    def _say(self, *lines: str) -> None:
        if self._address is None:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
                there.setblocking(False)
                there.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            if not self._complained:
                log.warning("cannot tell systemd", socket=self._address, error=error.strerror or str(error))
            self._complained = True
        else:
            self._complained = False
