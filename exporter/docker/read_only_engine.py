"""An engine on this machine that is only asked, without the client library: that takes 8 MB and a tenth of a second.

What is asked for goes by the names that the library's APIClient has, so that the same functions read from both.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from socket import AF_UNIX, socket
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode

from exporter.docker.engine import DockerEngine, DockerUnavailable, EngineRefused, checked, not_well

T = TypeVar("T")


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket(AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.close()
            raise


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine answered, with what is used of the Response of requests."""

    status_code: int
    content: bytes

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.content)


class EngineReader:
    """Asks an engine over its socket. Blocks, and gives up when nothing comes for ``timeout`` seconds.

    Nothing is sent before the first question. Each thread keeps one connection.
    Raises EngineRefused, OSError and http.client.HTTPException.
    """

    base_url = ""

    def __init__(self, path: str, timeout: float) -> None:
        self.timeout = timeout
        self._path = path
        self._local = threading.local()
        self._connections: list[HTTPConnection] = []
        self._api_version = ""

    @property
    def api_version(self) -> str:
        """The newest version of the API that the engine speaks, asked for once."""
        if not self._api_version:
            self._api_version = str(checked(self.get("/version")).json()["ApiVersion"])
        return self._api_version

    def get(self, url: str, params: Mapping[str, str] | None = None, timeout: float | None = None) -> Answer:
        """The answer, successful or not. ``timeout`` is the reader's own, whatever is given."""
        target = f"{url}?{urlencode(params)}" if params else url
        connection = self._connection()
        kept = connection.sock is not None
        try:
            return _exchange(connection, target)
        except (ConnectionError, HTTPException):
            if not kept:
                raise
            return _exchange(connection, target)  # the engine had closed it meanwhile, as it does when it is restarted

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _UnixConnection(self._path, self.timeout)
            self._connections.append(connection)
        return connection

    def _ask(self, path: str, **params: str) -> Any:
        return checked(self.get(f"/v{self.api_version}{path}", params)).json()

    def ping(self) -> str:
        return checked(self.get("/_ping")).text

    def info(self) -> Any:
        return self._ask("/info")

    def version(self) -> Any:
        return self._ask("/version")

    def containers(self, all: bool) -> Any:
        return self._ask("/containers/json", all=str(int(all)))

    def networks(self) -> Any:
        return self._ask("/networks")

    def inspect_container(self, key: str) -> Any:
        return self._ask(f"/containers/{quote(key, safe='')}/json")

    def inspect_image(self, key: str) -> Any:
        return self._ask(f"/images/{quote(key, safe='')}/json")

    def inspect_network(self, key: str) -> Any:
        return self._ask(f"/networks/{quote(key, safe='')}")

    def stats(self, key: str, stream: bool, one_shot: bool) -> Any:
        params = {"stream": str(int(stream)), "one-shot": str(int(one_shot))}
        return self._ask(f"/containers/{quote(key, safe='')}/stats", **params)

    def close(self) -> None:
        """Closes the connections."""
        for connection in self._connections:
            connection.close()


def _exchange(connection: HTTPConnection, target: str) -> Answer:
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, HTTPException):
        connection.close()  # the next request opens it again
        raise


class ReadOnlyEngine(DockerEngine):
    """A Docker engine that is only asked; one that is reached over the network is asked through the library."""

    def _run(self, function: Callable[[Any], T]) -> T:
        if self.socket is None:
            return super()._run(function)
        try:
            if self._client is None:
                self._client = cast(Any, EngineReader(self.socket, self._timeout))
            return function(self._client)
        except EngineRefused as error:
            raise not_well(error.status_code, str(error)) from error
        except (OSError, HTTPException, json.JSONDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DockerUnavailable(f"cannot reach the Docker engine: {self.socket}: {reason}") from error
