"""An HTTP client of the remediator's API, generated from the table of operations."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from remediator.api.operations import API, Operation, Operations
from remediator.model.caller import COMMAND_LINE
from remediator.model.errors import EXIT_BLOCKED, EXIT_FAILED, EXIT_UNREACHABLE, EXIT_USAGE, ClientError
from remediator.peers.http import is_loopback, verification
from remediator.statedir import read_token

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:10747"


class HttpClient(Operations):
    """A remediator in another process, through its API. Use as an async context manager.

    url: base URL. token: the operator's. timeout: seconds for an answer, unless the operation allows more.
    """

    def __init__(self, url: str, token: str, timeout: float = 10.0) -> None:
        import httpx

        self.url = url.rstrip("/")
        self._timeout = timeout
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": COMMAND_LINE},
            timeout=timeout,
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

    async def ask(self, operation: Operation, values: Mapping[str, Any]) -> Any:
        # Defaults are not sent: a remediator of an earlier release rejects parameters that it does not know.
        given = {name: value for name, value in values.items() if value is not None}
        path = operation.path
        for name in [name for name in given if f"{{{name}}}" in path]:
            path = path.replace(f"{{{name}}}", quote(str(given.pop(name)), safe=""))
        request = {"json": given} if operation.body else {"params": given}
        response = await self._ask(operation.method, path, timeout=operation.patience * self._timeout, **request)
        return _file(response, self.url) if operation.file else _answer(response, self.url)

    async def _ask(self, method: str, path: str, **request: Any) -> "httpx.Response":
        """The answer. Raises ClientError where there is none."""
        import httpx

        try:
            return await self._http.request(method, f"{self.url}{API}{path}", **request)
        except httpx.TimeoutException:
            raise ClientError(
                f"the remediator at {self.url} did not answer in time; is it overloaded or stopped?", EXIT_UNREACHABLE
            ) from None
        except httpx.HTTPError as error:
            hint = (
                "\nset SSL_CERT_FILE to the certificate of its CA" if "CERTIFICATE_VERIFY_FAILED" in str(error) else ""
            )
            message = f"cannot reach the remediator at {self.url}: {error}{hint}"
            raise ClientError(message, EXIT_UNREACHABLE) from error


def _file(response: "httpx.Response", url: str) -> Mapping[str, Any]:
    """A successful answer that is a file. Raises ClientError as ``_answer``."""
    named = re.search(r'filename="([A-Za-z0-9][A-Za-z0-9._-]*)"', response.headers.get("Content-Disposition", ""))
    if not response.is_success or named is None:
        _answer(response, url)
        raise ClientError(f"what answers at {url} sends no file", EXIT_UNREACHABLE)
    return {"name": named[1], "media_type": response.headers.get("Content-Type", ""), "content": response.content}


def _answer(response: "httpx.Response", url: str) -> Any:
    """The document of a successful answer. Raises ClientError with the detail of a problem+json answer (RFC 9457)."""
    try:
        document = response.json() if response.content else {}
    except ValueError:
        document = None
    if response.is_success and document is not None:
        return document
    if not isinstance(document, dict) or response.is_redirect or response.is_success:
        raise ClientError(
            f"what answers at {url} is not an Upkeeper remediator (HTTP {response.status_code})", EXIT_UNREACHABLE
        )
    detail = document.get("detail") or document.get("title") or f"HTTP {response.status_code}"
    if response.status_code in (401, 403):
        detail = f"{detail}; is UPKEEPER_TOKEN_FILE the operator token of the remediator at {url}?"
    raise ClientError(str(detail), exit_code_of(response.status_code), document.get("guard"))


def exit_code_of(status: int) -> int:
    """The exit status for an HTTP status: 3 for a guard's 409, 2 for what the user can correct, else 1."""
    if status == 409:
        return EXIT_BLOCKED
    return EXIT_USAGE if 400 <= status < 500 else EXIT_FAILED


def operator_token(url: str, token_file: str | None, default: Path) -> str:
    """The token for the remediator at url: from token_file if given, else from the state directory's own file.

    The state directory's token is for the remediator on this machine, so it is never sent to another one.
    Raises ClientError.
    """
    if token_file is None and not is_loopback(url):
        raise ClientError(
            f"{url} is another machine: set UPKEEPER_TOKEN_FILE to a file with its operator token", EXIT_USAGE
        )
    path = Path(token_file) if token_file is not None else default
    try:
        return read_token(path)
    except FileNotFoundError:
        raise ClientError(
            f"there is no operator token {path}: no remediator has run on this state directory yet\n"
            "start one: upkeeper up; or name another: --state-dir, UPKEEPER_TOKEN_FILE",
            EXIT_USAGE,
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ClientError(
            f"no operator token in {path}: {reason}; set --state-dir or UPKEEPER_TOKEN_FILE", EXIT_USAGE
        ) from error
