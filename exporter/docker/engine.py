"""The Docker engine's API for asyncio: blocking calls in a few threads of their own, each with a time limit.

A daemon that hangs holds at most those threads, and each gives up when its socket read times out.
"""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from exporter.base.errors import UpkeeperError

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

_DEFAULT_SOCKET = "/var/run/docker.sock"


class DockerUnavailable(UpkeeperError):
    """The engine cannot be reached, did not answer in time, or failed. The message is one line for people."""


class EngineRefused(UpkeeperError, OSError):
    """The engine answered with an error. Within a call the message is the engine's own; a call says who refused."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


class _Response(Protocol):
    @property
    def ok(self) -> bool: ...
    @property
    def status_code(self) -> int: ...
    @property
    def text(self) -> str: ...


R = TypeVar("R", bound=_Response)


def checked(response: R) -> R:
    """A good answer. Raises EngineRefused for any other."""
    if response.ok:
        return response
    try:
        message = str(json.loads(response.text)["message"])
    except (ValueError, LookupError, TypeError):
        message = f"status {response.status_code}"
    raise EngineRefused(response.status_code, message)


def not_well(status_code: int, message: str) -> UpkeeperError:
    """What a call raises for such an answer."""
    if status_code >= 500:
        return DockerUnavailable(f"the Docker engine failed: {message}")
    return EngineRefused(status_code, f"the Docker engine refused: {message}")


def is_gone(error: OSError) -> bool:
    """Whether the engine answered that it has no such object. The library's APIError is an OSError too."""
    return getattr(error, "status_code", None) == 404


class DockerEngine:
    """One Docker engine. The client library is imported and the API version negotiated once something listens.

    host: ``unix:///...`` or ``tcp://...``; None means DOCKER_HOST, else the local socket.
    timeout: seconds to wait for the engine's answer, each call.
    """

    def __init__(self, host: str | None = None, timeout: float = 10.0, threads: int = 4) -> None:
        self._host = host
        self._timeout = timeout
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="docker")
        self._client: APIClient | None = None
        self._failed = False
        self._patient: dict[tuple[float, int], DockerEngine] = {}

    @property
    def host(self) -> str:
        """Where it is, as a program finds it in DOCKER_HOST."""
        return self._host or os.environ.get("DOCKER_HOST") or f"unix://{_DEFAULT_SOCKET}"

    @property
    def socket(self) -> str | None:
        """The path of the socket of an engine on this machine; None for one that is reached over the network."""
        host = self.host
        return (host.removeprefix("unix://") or _DEFAULT_SOCKET) if host.startswith("unix://") else None

    def patient(self, timeout: float, threads: int = 2) -> "DockerEngine":
        """The same engine with so many seconds for each answer, for work that takes it long. Closed with this one."""
        if (timeout, threads) not in self._patient:
            self._patient[timeout, threads] = type(self)(self._host, timeout, threads)
        return self._patient[timeout, threads]

    async def call(self, function: Callable[["APIClient"], T]) -> T:
        """The result of ``function(client)``, run in a thread that ends by itself when its socket read times out.

        Raises DockerUnavailable and, for an answer below 500, EngineRefused.
        """
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._executor, self._run, function)
        try:
            async with asyncio.timeout(self._timeout + 1):
                return await work
        except TimeoutError:
            raise DockerUnavailable(f"the Docker engine did not answer within {self._timeout:g} s") from None

    def _run(self, function: Callable[["APIClient"], T]) -> T:
        if self._client is None or self._failed:
            self._knock()
        import docker
        import docker.errors
        import requests

        try:
            if self._client is None:
                self._client = self._connect()
            result = function(self._client)
        except docker.errors.APIError as error:
            raise not_well(error.status_code or 0, str(error.explanation or error)) from error
        except EngineRefused as error:
            raise not_well(error.status_code, str(error)) from error
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            self._failed = True
            raise DockerUnavailable(f"cannot reach the Docker engine: {_cause(error)}") from error
        self._failed = False
        return result

    def _knock(self) -> None:
        """Raises DockerUnavailable if nothing listens on the socket: the library costs 8 MB that no use comes of."""
        if self.socket is None:
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(self._timeout)
            try:
                probe.connect(self.socket)
            except OSError as error:
                reason = error.strerror or str(error)
                raise DockerUnavailable(f"cannot reach the Docker engine: {self.socket}: {reason}") from error

    def _connect(self) -> "APIClient":
        import docker
        from docker.utils import kwargs_from_env

        settings: dict[str, Any] = {"base_url": self._host} if self._host else {**kwargs_from_env()}
        settings["timeout"] = self._timeout
        client = docker.APIClient(**settings, version="auto")
        if self.socket is not None:
            client.trust_env = False  # else proxies are looked up in the environment for each request
            _share_connections(client)
        return client

    def close(self) -> None:
        """Closes the connections. Does not wait for a hung call."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        for engine in self._patient.values():
            engine.close()
        if self._client is not None:
            self._client.close()
            self._client = None


def _share_connections(client: "APIClient") -> None:
    """The library keeps connections for each URL by itself, so that most requests would make one of their own."""
    from docker.transport import UnixHTTPAdapter

    adapter = client.get_adapter(client.base_url)
    if isinstance(adapter, UnixHTTPAdapter):
        shared = adapter.get_connection(client.base_url)
        adapter.get_connection = lambda url, proxies=None: shared  # type: ignore[method-assign]


def _cause(error: BaseException) -> str:
    """The innermost message: requests and urllib3 wrap the one that helps several times."""
    while error.__context__ is not None or error.__cause__ is not None:
        error = error.__cause__ or error.__context__ or error
    return str(error) or type(error).__name__
