"""HTTP to a peer: one request with a deadline and a limit of size, and one sentence for whatever goes wrong."""

import asyncio
import json
import ssl
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from exporter.base.errors import UpkeeperError
from exporter.base.listen import is_loopback_host
from exporter.base.units import format_bytes, format_duration

if TYPE_CHECKING:
    pass


class PeerError(UpkeeperError):
    """A peer cannot be reached, is slow, or answers with an error. status: of HTTP, where it has answered."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AnswerTooLong(PeerError):
    """More comes than is wanted. begun: what came first, as much as is wanted."""

    def __init__(self, message: str, status: int, begun: bytes) -> None:
        super().__init__(message, status)
        self.begun = begun


class PeerClient:
    """The HTTP API of a peer. Use as an async context manager; it connects at the first request.

    name: for people. url: base URL without a trailing slash. seconds: in which a whole answer must be there.
    max_bytes: of an answer; a longer one is an error.
    """

    def __init__(self, name: str, url: str, seconds: float, max_bytes: int) -> None:
        import httpx

        self.url = url
        self._name = name
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._http = httpx.AsyncClient(
            headers={"Accept": "application/json"},
            timeout=None,  # noqa: S113  a deadline for the whole answer stands around each request
            verify=verification([url]),
            # A proxy from the environment must never see what is meant for this machine.
            trust_env=not is_loopback(url),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        """Status and JSON document of the answer; None for one without a document. Raises PeerError.

        request: as of httpx.AsyncClient.request.
        """
        status, body = await self.fetch(method, path, **request)
        if not body:
            return status, None
        try:
            return status, json.loads(body)
        except ValueError:
            raise PeerError(f"{self._at} answers {status} without JSON; is it {self._name}?", status) from None
        except RecursionError:
            raise PeerError(f"{self._at} answers {status} with JSON that is nested too deep", status) from None

    async def fetch(self, method: str, path: str, **request: Any) -> tuple[int, bytes]:
        """Status and body of an answer of any kind. Raises PeerError. request: as of ask."""
        import httpx

        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(method, path, request)
        except TimeoutError:
            raise PeerError(f"{self._at} did not answer within {format_duration(self._seconds)}") from None
        except httpx.HTTPError as error:
            raise PeerError(f"cannot reach {self._at}: {error or type(error).__name__}") from error
        except (httpx.InvalidURL, UnicodeError):  # they quote the address or a header, in which a secret may be
            raise PeerError(f"cannot reach {self._at}: the address, or a header for it, is not a valid one") from None

    async def _read(self, method: str, path: str, request: Mapping[str, Any]) -> tuple[int, bytes]:
        body = bytearray()
        async with self._http.stream(method, f"{self.url}{path}", **request) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    limit = format_bytes(self._max_bytes)
                    raise AnswerTooLong(
                        f"the answer of {self._at} is longer than {limit}", response.status_code, bytes(body)
                    )
            return response.status_code, bytes(body)

    @property
    def _at(self) -> str:
        return f"{self._name} at {self.url}"


def verification(urls: Iterable[str]) -> ssl.SSLContext | bool:
    """How httpx verifies servers: with the system's certificates, so that SSL_CERT_FILE can add a private CA.

    Without an https URL there is nothing to verify, and the certificates are not read.
    """
    return ssl.create_default_context() if any(url.startswith("https:") for url in urls) else False


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine's loopback, judging by its text alone."""
    return is_loopback_host(urlsplit(url).hostname or "")
