"""Probes of services: over HTTP the status, the body and the certificate; over TCP that a connection opens."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric

from exporter import __version__
from exporter.section import regex_search
from exporter.settings.collector import CollectorSettings
from exporter.settings.services import Probe, Service
from exporter.x509 import not_after

if TYPE_CHECKING:
    import httpcore
    import httpx

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""How much of a body is read; body_regex sees no more."""

_MAX_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``status`` is None over TCP; ``tls_not_after`` is Unix seconds."""

    status: int | None = None
    tls_not_after: float | None = None
    failure: str = ""
    """Why the answer is not the expected one; empty when it is."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe of one service at one moment."""

    target: str
    probe: str
    success: bool
    detail: str
    """One line for people: why it failed, or what was found. Holds nothing of headers or body."""
    duration: float
    """Seconds."""
    checked_at: float
    """Unix seconds."""
    status: int | None = None
    tls_not_after: float | None = None


async def run_probe(
    target: str, probe: Probe, *, limit: float = float("inf"), clock: Callable[[], float] = time.time
) -> ProbeResult:
    """Probes once. A failure of any kind is a result; only cancellation is raised.

    limit: seconds that the whole probe may take if that is less than its own timeout.
    """
    timeout = min(probe.timeout, limit)
    checked_at = clock()
    start = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            answer = await (_tcp(probe) if probe.url.startswith("tcp:") else _http(probe))
    except TimeoutError:
        answer = Answer(failure=f"no complete answer within {timeout:g} s")
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        answer = Answer(failure=_reason(error))
    except Exception as error:
        log.exception("probe broke", target=target, probe=probe.name)
        answer = Answer(failure=f"unexpected {type(error).__name__}, described in the log")
    found = "connected" if answer.status is None else f"status {answer.status}"
    return ProbeResult(
        target=target,
        probe=probe.name,
        success=not answer.failure,
        detail=answer.failure or found,
        duration=time.perf_counter() - start,
        checked_at=checked_at,
        status=answer.status,
        tls_not_after=answer.tls_not_after,
    )


async def _tcp(probe: Probe) -> Answer:
    parts = urlsplit(probe.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.transport.abort()  # an orderly goodbye could hang, and the answer is known
    return Answer()


async def _http(probe: Probe) -> Answer:
    import httpx

    client = httpx.AsyncClient(
        verify=_tls_context(probe.tls_verify),
        trust_env=False,  # neither proxies nor ~/.netrc: the probe is of the service itself
        timeout=httpx.Timeout(None),  # the caller's timeout bounds the whole, not each phase
        follow_redirects=probe.follow_redirects,
        max_redirects=_MAX_REDIRECTS,
        # A compressed body could unfold to any size.
        headers={"User-Agent": f"upkeeper/{__version__}", "Accept-Encoding": "identity", **probe.headers},
    )
    opened: list[httpcore.AsyncNetworkStream] = []

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            opened.append(info["return_value"])

    try:
        async with client, client.stream(probe.method, probe.url, extensions={"trace": trace}) as response:
            tls_not_after = _expiry(response.extensions["network_stream"].get_extra_info("ssl_object"))
            body = await _read(response)
            return Answer(response.status_code, tls_not_after, judge(probe, response.status_code, body))
    except httpx.LocalProtocolError:
        return Answer(failure="the request is malformed: look at its url and headers")  # the error quotes the header
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(failure=_reason(error))
    finally:
        for stream in opened:  # httpcore 1.0 leaves the connection open when cancelled within the TLS handshake
            await stream.aclose()


def _reason(error: BaseException) -> str:
    """What went wrong, from the innermost of the wrapped exceptions: the outer ones say only that something did."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or type(error).__name__


async def _read(response: "httpx.Response") -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk[: MAX_BODY_BYTES - len(body)]
        if len(body) >= MAX_BODY_BYTES:
            break
    return bytes(body)


def judge(probe: Probe, status: int, body: bytes) -> str:
    """Why an HTTP answer is not what the probe expects; empty when it is. Pure."""
    if status not in probe.expect_status:
        return f"status {status}, expected {' or '.join(map(str, probe.expect_status))}"
    if probe.body_regex is not None and not regex_search(probe.body_regex)(body):
        return f"status {status}, but the body does not match body_regex"
    return ""


@cache
def _tls_context(verify: bool) -> ssl.SSLContext:
    """Trusts what the system trusts, so that a private authority installed there is known here."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _expiry(tls: ssl.SSLObject | None) -> float | None:
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return not_after(certificate) if certificate else None


class ServicesCollector:
    """Runs every probe of every service at once, each with its own time limit and error boundary.

    discovered: services found elsewhere, such as by container labels; asked before each round. A configured service
    of the same name wins.
    """

    name = "services"

    def __init__(
        self,
        services: Sequence[Service],
        settings: CollectorSettings,
        discovered: Callable[[], Sequence[Service]] = tuple,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self.results: Sequence[ProbeResult] | None = None
        """Of the last round; None before the first has ended."""
        self._services = services
        self._discovered = discovered
        self._clock = clock
        self._failing: frozenset[tuple[str, str]] = frozenset()

    def services(self) -> Sequence[Service]:
        """What is probed now: the configured services, then the discovered ones."""
        configured = {service.name for service in self._services}
        return [*self._services, *(found for found in self._discovered() if found.name not in configured)]

    async def collect(self) -> Sequence[Metric]:
        limit = self.deadline * 0.9  # so that one slow probe fails by itself, not all of them with the collector
        self.results = await asyncio.gather(
            *(
                run_probe(service.name, probe, limit=limit, clock=self._clock)
                for service in self.services()
                for probe in service.probes
            )
        )
        self._log_changes(self.results)
        return _families(self.results)

    def _log_changes(self, results: Sequence[ProbeResult]) -> None:
        failing = {(result.target, result.probe) for result in results if not result.success}
        for result in results:
            key = (result.target, result.probe)
            if key in failing and key not in self._failing:
                log.warning("probe failed", target=result.target, probe=result.probe, reason=result.detail)
            elif key in self._failing and key not in failing:
                log.info("probe recovered", target=result.target, probe=result.probe)
        self._failing = frozenset(failing)


def _families(results: Sequence[ProbeResult]) -> Sequence[Metric]:
    labels = ["target", "probe"]
    success = GaugeMetricFamily("upkeeper_probe_success", "Whether the probe got the expected answer.", labels=labels)
    duration = GaugeMetricFamily("upkeeper_probe_duration_seconds", "How long the whole probe took.", labels=labels)
    status = GaugeMetricFamily(
        "upkeeper_probe_http_status_code", "Status of the HTTP answer; absent without one.", labels=labels
    )
    tls = GaugeMetricFamily(
        "upkeeper_probe_tls_not_after_timestamp_seconds", "When the service's certificate expires.", labels=labels
    )
    for result in results:
        values = [result.target, result.probe]
        success.add_metric(values, result.success)
        duration.add_metric(values, result.duration)
        if result.status is not None:
            status.add_metric(values, result.status)
        if result.tls_not_after is not None:
            tls.add_metric(values, result.tls_not_after)
    return success, duration, status, tls
