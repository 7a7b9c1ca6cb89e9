"""A program in a one-off container, whose output is read as it comes, and which is gone with whoever reads it.

The engine itself removes the container when it ends, so that none is left behind by a kill of ours. Its output is in no
log of the engine's: a dump must not be on disk twice.
"""

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from remediator.model.task import TaskError
from remediator.tasks.backup.sink import Stopped

if TYPE_CHECKING:
    from docker import APIClient

LABELS = {"upkeeper.one-off": "backup"}
_MAX_LINES = 200
_LOOK_SECONDS = 0.5
_STDOUT = 1
_MEMORY = 1024**3
_PROCESSES = 256
_NOBODY = "65534:65534"


class Contained:
    """As remediator.tasks.backup.piped.Piped. Raises OSError (the library's errors are such) when it cannot start.

    image: its id; it is not pulled. network: as the engine takes it, such as ``container:ID``. user: UID:GID.
    volumes_from: containers by whose volumes it works; binds: volumes as ``NAME:PATH``. given: what it reads, taken
    in another thread.
    """

    def __init__(
        self,
        client: "APIClient",
        image: str,
        command: Sequence[str],
        network: str,
        stop: threading.Event,
        environment: Mapping[str, str],
        *,
        user: str = _NOBODY,
        volumes_from: Sequence[str] = (),
        binds: Sequence[str] = (),
        given: Iterable[bytes] | None = None,
    ) -> None:
        from docker.types import LogConfig
        from docker.utils.socket import frames_iter

        self._client = client
        self._stop = stop
        self._lines: list[str] = []
        self._rest = b""
        self._status: int | None = None
        self._error: Exception | None = None
        self._unfed: Exception | None = None
        self._ended = threading.Event()
        limits = client.create_host_config(
            network_mode=network, auto_remove=True, log_config=LogConfig(type=LogConfig.types.NONE), cap_drop=["ALL"],
            security_opt=["no-new-privileges"], mem_limit=_MEMORY, pids_limit=_PROCESSES,
            volumes_from=list(volumes_from), binds=list(binds),
        )  # fmt: skip
        made = client.create_container(
            image, entrypoint=[command[0]], command=list(command[1:]), environment=dict(environment),
            labels=LABELS, host_config=limits, user=user, healthcheck={"test": ["NONE"]}, stdin_open=given is not None,
        )  # fmt: skip
        self._id = str(made["Id"])
        self._socket: Any = None
        try:
            self._socket = client.attach_socket(
                self._id, {"stdout": 1, "stderr": 1, "stream": 1, "stdin": int(given is not None)}
            )
            self._output: Iterator[tuple[int, bytes]] = frames_iter(self._socket, tty=False)
            self._waiter = threading.Thread(target=self._wait, name=f"end of {command[0]}", daemon=True)
            self._waiter.start()
            client.start(self._id)
            self._feeder = threading.Thread(target=self._feed, args=(given,), name=f"for {command[0]}", daemon=True)
            self._feeder.start()
        except BaseException:
            self.kill()
            self._close()
            raise
        self._watcher = threading.Thread(target=self._watch, name=f"watch {command[0]}", daemon=True)
        self._watcher.start()

    def read(self, size: int) -> bytes:
        """The next bytes of its output; none at its end. Raises Stopped."""
        for stream, data in self._output:
            if self._stop.is_set():
                raise Stopped
            if stream == _STDOUT:
                return data
            self._hear(data)
        if self._stop.is_set():
            raise Stopped
        return b""

    def end(self) -> tuple[int, list[str]]:
        """Waits for its end: its exit status and the last lines of its standard error. Raises Stopped, TaskError."""
        while self.read(0):
            pass  # what nobody wanted
        self._ended.wait()
        if self._stop.is_set():
            raise Stopped
        if self._unfed is not None:
            raise self._unfed
        if self._status is None:
            raise TaskError(f"the Docker engine did not say how a one-off container ended: {self._error}")
        if self._rest:
            self._hear(b"\n")
        return self._status, self._lines

    def kill(self) -> None:
        """Ends and removes it at once."""
        with contextlib.suppress(OSError):
            self._client.remove_container(self._id, force=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ended.is_set():
            self.kill()
        self._ended.set()
        self._watcher.join()
        with contextlib.suppress(OSError):  # ends a feeder that waits for a container that is gone
            self._socket._sock.shutdown(socket.SHUT_RDWR)
        self._feeder.join()
        self._waiter.join(_LOOK_SECONDS)
        self._close()

    def _close(self) -> None:
        """Gives back the connection, which the library leaves to whoever collects garbage."""
        inner, response = getattr(self._socket, "_sock", None), getattr(self._socket, "_response", None)
        for each in (response, self._socket, inner):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.close()

    def _feed(self, given: Iterable[bytes] | None) -> None:
        """Sends what it is to read. What fails is told by ``end``, where its own words do not tell more."""
        if given is None:
            return
        try:
            for piece in given:
                self._socket._sock.sendall(piece)
            self._socket._sock.shutdown(socket.SHUT_WR)
        except BrokenPipeError:
            return  # it has ended, and says why
        except Exception as error:  # noqa: BLE001 - told by end, in the thread that waits
            self._unfed = error
            self.kill()

    def _hear(self, said: bytes) -> None:
        *lines, self._rest = (self._rest + said).split(b"\n")
        self._lines += [line.decode("utf-8", "replace").rstrip() for line in lines]
        del self._lines[:-_MAX_LINES]

    def _wait(self) -> None:
        try:
            self._status = int(self._client.wait(self._id, condition="removed")["StatusCode"])
        except Exception as error:  # noqa: BLE001 - told by end, in the thread that waits
            self._error = error
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if self._stop.is_set():
                self.kill()
                return
