"""Runs one probe within its time, whatever happens in it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from exporter.base.masking import secret_by_name
from exporter.base.urlsecrets import url_secrets
from exporter.base.wiresecrets import wire_secrets
from exporter.inventory.services import Probe
from exporter.probing.failure import ProbeFailure, brief, reason
from exporter.probing.recorder import Phase, Recorder
from exporter.probing.result import Answer, ProbeResult
from exporter.probing.tls import earliest_expiry

log = structlog.get_logger(__name__)

_NOT_IN_TIME: Mapping[Phase | None, str] = {
    "resolve": "address for its name",
    "connect": "connection",
    "tls": "TLS handshake",
    "transfer": "complete answer",
}
"""What did not come within the time of a probe, by the phase that it was in."""


async def run_probe(
    target: str,
    probe: Probe,
    *,
    limit: float = float("inf"),
    clock: Callable[[], float] = time.time,
    recorder: Recorder | None = None,
) -> ProbeResult:
    """Probes once. A failure of any kind is a result; only cancellation is raised.

    limit: seconds that the whole probe may take if that is less than its own timeout.
    recorder: a new one that is told what happens.
    """
    recorder = recorder or Recorder()
    if recorder.detailed:
        recorder.keep_secret(*_secret_headers(probe), *url_secrets(probe.url), *wire_secrets(probe.send or ""))
    ask = _way_to_ask(probe)  # imports the client library, which is no part of the probe's time
    timeout = min(probe.timeout, limit)
    deadline = asyncio.get_running_loop().time() + timeout
    checked_at = clock()
    start = time.perf_counter()
    recorder.begin()
    try:
        async with asyncio.timeout_at(deadline):
            answer = await ask(probe, recorder, deadline)
    except TimeoutError:
        during = f", while in the phase {recorder.phase}" if recorder.phase else ""
        missing = _NOT_IN_TIME.get(recorder.phase, "answer")
        answer = Answer(
            failure=f"no complete answer within {timeout:g} s{during}", brief=f"no {missing} within {timeout:g} s"
        )
    except ProbeFailure as failure:
        answer = Answer(failure=str(failure), brief=failure.brief)
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        answer = Answer(failure=reason(error), brief=brief(error))
    except Exception as error:
        log.exception("probe broke", target=target, probe=probe.name)
        answer = Answer(failure=f"unexpected {type(error).__name__}, see the log")
    recorder.enter(None)
    found = answer.found or ("connected" if answer.status is None else f"status {answer.status}")
    return ProbeResult(
        target=target,
        probe=probe.name,
        success=not answer.failure,
        detail=answer.failure or found,
        duration=time.perf_counter() - start,
        checked_at=checked_at,
        status=answer.status,
        tls_not_after=earliest_expiry(recorder.chain),
        phases=recorder.phases,
        reason=answer.failure if answer.brief is None else answer.brief,
        means=probe.means,
        tls_min_validity=probe.tls_min_validity if probe.uses_tls or recorder.chain else None,
        starting=answer.starting,
    )


def _way_to_ask(probe: Probe) -> Callable[[Probe, Recorder, float], Awaitable[Answer]]:
    if probe.scheme == "tcp":
        from exporter.probing.tcp import probe_tcp

        return probe_tcp
    if probe.scheme == "postgres":
        from exporter.probing.databases import probe_postgres

        return probe_postgres
    if probe.scheme == "bolt":
        from exporter.probing.databases import probe_bolt

        return probe_bolt
    from exporter.probing.http import probe_http

    return probe_http


def _secret_headers(probe: Probe) -> list[str]:
    """The values of the probe's headers that are secret by the header's name, and the token at the end of each."""
    values = [value for name, value in probe.headers.items() if secret_by_name((name,))]
    return [*values, *(value.split()[-1] for value in values if value.split())]
