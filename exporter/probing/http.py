"""Probes over HTTP. Imported only when there is one, as it brings the client library with it.

httpx makes the requests and follows redirects; the connections are our own, a new one for each request, so that phases
can be told apart, addresses chosen, and nothing is left of a probe that is cut short.
"""

import re
import sys
from functools import lru_cache, partial
from importlib.util import find_spec

import h11
import httpcore
import httpx

from exporter import __version__
from exporter.base.masking import HIDDEN, secret_by_name
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.services import Probe
from exporter.probing.conditions import MAX_BODY_BYTES, judge
from exporter.probing.credentials import authorization, body_to_send
from exporter.probing.failure import ProbeFailure
from exporter.probing.recorder import Recorder
from exporter.probing.resolve import resolve
from exporter.probing.result import Answer
from exporter.probing.stream import Stream, connect
from exporter.probing.tlsstream import start_tls
from exporter.probing.unpack import CannotUnpack, unpack

if find_spec("sniffio") is None:
    # httpcore looks for it at each request; where it is not, each time through every directory of sys.path.
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

_MAX_REDIRECTS = 10
_EXCERPT, _SHOWN = 1000, 200
"""How many characters of a body, and of what a condition found, are shown."""

_MAX_BESIDE_BODY = 256 * 1024
"""For the head, of which httpcore reads 100 KiB at most, and the frames of chunks."""

_DEFAULT_HEADERS = {
    "User-Agent": f"upkeeper/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # to unfold what is compressed costs both sides time
    "Connection": "close",
}

_LARGE_BODY_BYTES = 64 * 1024
"""A JSON path may take seconds in a larger one, and the event loop has others to serve."""

_judging = KeyedThreads()

_QUOTED = re.compile(r": (?=bytearray\(|b?['\"])")
"""Where an error begins to quote what the server sent."""

_Headers = list[tuple[bytes, bytes]]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535
_NO_TIMEOUT = httpx.Timeout(None)
"""The whole probe has one, not each phase."""


async def probe_http(probe: Probe, recorder: Recorder, deadline: float) -> Answer:
    """Asks once. Raises ProbeFailure, OSError and TimeoutError."""
    own = {name.lower() for name in probe.headers}
    headers = {name: value for name, value in _DEFAULT_HEADERS.items() if name.lower() not in own} | probe.headers
    credentials = await authorization(probe, recorder)
    if credentials is not None:
        headers["Authorization"] = credentials
    transport = _Transport(probe, recorder, deadline)
    content = await body_to_send(probe, recorder)
    if content is not None and "content-type" not in own:
        headers["Content-Type"] = "application/json" if content.lstrip()[:1] in (b"{", b"[") else "text/plain"
    request = httpx.Request(probe.method, _url(probe.url), headers=headers, content=content)
    try:
        if probe.follow_redirects:
            status = await _followed(request, transport)
        else:
            status, _ = await transport.ask(request)  # a client would only add its own cost
    except (httpx.LocalProtocolError, httpcore.LocalProtocolError, h11.LocalProtocolError):
        # Not as it says itself: it quotes the header.
        raise ProbeFailure("the request is malformed: look at its url and headers") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpcore.ProtocolError) as error:
        # Only the beginning, as far as it does not quote what the server sent.
        text = _QUOTED.split(str(error))[0] or type(error).__name__
        raise ProbeFailure(text, brief=f"no valid HTTP answer ({type(error).__name__})") from None
    recorder.enter(None)
    judged = partial(_judged, probe, recorder, status, transport.body, transport.unreadable)
    if not probe.body_json or len(transport.body) <= _LARGE_BODY_BYTES:
        return Answer(status, judged())
    try:
        return Answer(status, await _judging.run(id(probe), judged))
    except StillStuck:
        raise ProbeFailure("body_json is still being evaluated on an earlier answer") from None


async def _followed(request: httpx.Request, transport: httpx.AsyncBaseTransport) -> int:
    """The status at the end of the redirects."""
    client = httpx.AsyncClient(
        transport=transport,
        trust_env=False,  # neither proxies nor ~/.netrc: the probe is of the service itself
        timeout=_NO_TIMEOUT,
        follow_redirects=True,
        max_redirects=_MAX_REDIRECTS,
    )
    async with client:
        return (await client.send(request)).status_code


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    """Parsed once: that takes longer than one would think."""
    return httpx.URL(text)


def _judged(probe: Probe, recorder: Recorder, status: int, body: bytes, unreadable: str) -> str:
    """The failure; empty for none. Where steps are wanted, every condition is looked at, else those up to the first."""
    failure = ""
    for finding in judge(probe, status, body, unreadable):
        if recorder.detailed:
            found = recorder.hide(finding.found(), _SHOWN)
            recorder.note("condition", expected=finding.expected(), found=found, met=finding.met)
        if not finding.met:
            failure = failure or finding.failure
            if not recorder.detailed:
                break
    return failure


class _Transport(httpx.AsyncBaseTransport):
    """Makes each request over a connection of its own, which is gone when the answer is there."""

    def __init__(self, probe: Probe, recorder: Recorder, deadline: float) -> None:
        self.body = b""
        """Of the last answer, uncompressed; as much as conditions may look at."""
        self.unreadable = ""
        """Why there is no body to look at, when it was compressed in a way that cannot be undone."""
        self._probe = probe
        self._recorder = recorder
        self._deadline = deadline
        self._origin: tuple[str, str, int] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, headers = await self.ask(request)
        # The body stays here: httpx would unfold a compressed one.
        return httpx.Response(status, headers=headers)

    async def ask(self, request: httpx.Request) -> tuple[int, _Headers]:
        """Status and headers of the answer. Raises what httpcore raises, ProbeFailure and OSError."""
        url = request.url
        if url.scheme not in _DEFAULT_PORTS:
            raise ProbeFailure("the redirect leads to a URL that is not HTTP")
        port = _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
        if not 0 < port <= _MAX_PORT:  # the resolver would take it modulo 65536
            raise ProbeFailure("the redirect leads to an invalid port")
        origin = url.scheme, url.raw_host.decode("ascii"), port
        self._origin = self._origin or origin
        at_home = origin == self._origin
        stream = await self._connect(*origin, at_home)
        try:
            return await self._exchange(request, stream, at_home)
        finally:
            stream.close()

    async def _connect(self, scheme: str, host: str, port: int, at_home: bool) -> Stream:
        probe, recorder = self._probe, self._recorder
        addresses = await resolve(host, port, probe.ip_protocol, probe.ip_protocol_fallback, recorder)
        stream = await connect(addresses, recorder, self._deadline)
        if scheme == "http":
            return stream
        name = probe.tls_server_name if at_home and probe.tls_server_name else host
        try:
            return await start_tls(stream, probe, name, recorder, "http/1.1")
        except BaseException:
            stream.close()
            raise

    async def _exchange(self, request: httpx.Request, stream: Stream, at_home: bool) -> tuple[int, _Headers]:
        recorder, url = self._recorder, request.url
        if not at_home and request.headers.get("Content-Length", "0") != "0":
            raise ProbeFailure("the redirect leads to another server, which must not get the body")
        recorder.enter("processing")
        headers = [
            (name, value)
            for name, value in request.headers.raw
            if at_home or not secret_by_name((name.decode("ascii"),))  # a redirect must not carry them elsewhere
        ]
        if recorder.detailed:
            recorder.note("request", method=request.method, url=str(url), headers=_shown(headers))
        scheme, host = url.raw_scheme, url.raw_host
        core = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=scheme, host=host, port=url.port, target=url.raw_path),
            headers=headers,
            content=request.stream,
        )
        core_stream = _CoreStream(stream)
        connection = httpcore.AsyncHTTP11Connection(core.url.origin, core_stream)
        answer = await connection.handle_async_request(core)
        recorder.enter("transfer")
        if recorder.detailed:
            version = answer.extensions["http_version"].decode("ascii")
            recorder.note("response", status=answer.status, version=version, headers=_shown(answer.headers))
        self.body = await _read(answer, core_stream)
        codings = _values(answer.headers, b"content-encoding")
        try:
            self.body, self.unreadable = unpack(self.body, codings, MAX_BODY_BYTES), ""
        except CannotUnpack as error:
            self.unreadable = str(error)
        if recorder.detailed:
            excerpt = recorder.hide(self.body.decode(errors="replace"), _EXCERPT)
            recorder.note("body", bytes=len(self.body), cut=len(self.body) >= MAX_BODY_BYTES, excerpt=excerpt)
        return answer.status, answer.headers


async def _read(answer: httpcore.Response, stream: "_CoreStream") -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_stream():
        body += chunk[: MAX_BODY_BYTES - len(body)]
        stream.body_bytes = len(body)
        if len(body) >= MAX_BODY_BYTES:
            break
    return bytes(body)


def _values(headers: _Headers, name: bytes) -> list[str]:
    """The elements of a list header, which may come in several lines."""
    lines = (value.decode("ascii", "replace") for found, value in headers if found.lower() == name)
    return [element for line in lines for element in line.split(",")]


def _shown(headers: _Headers) -> dict[str, str]:
    """Headers by their names, without the values of those that hold secrets by their name."""
    shown: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii", "replace"), raw_value.decode("utf-8", "replace")
        value = HIDDEN if secret_by_name((name,)) else value
        shown[name] = f"{shown[name]}, {value}" if name in shown else value
    return shown


class _CoreStream(httpcore.AsyncNetworkStream):
    """A Stream as httpcore wants it, with a limit to what it knows none for: answers before the answer, tiny chunks."""

    def __init__(self, stream: Stream) -> None:
        self.body_bytes = 0
        """How much of what came is of the body."""
        self._stream = stream
        self._received = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore calls it so
        data = await self._stream.read(max_bytes)
        self._received += len(data)
        if self._received - self.body_bytes > _MAX_BESIDE_BODY:
            raise ProbeFailure(f"more than {_MAX_BESIDE_BODY} bytes came in addition to the body")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - likewise
        try:
            if buffer:
                await self._stream.write(buffer)
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error  # then an answer that came early is still read

    async def aclose(self) -> None:
        self._stream.close()
