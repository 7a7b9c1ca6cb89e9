"""The whole stack at a glance: all that is watched, the alerts that fire, what is being done, and what is wrong."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from exporter.base.units import format_bytes
from remediator.api.operations import Operations
from remediator.model.errors import EXIT_UNREACHABLE, EXIT_USAGE, ClientError
from remediator.model.shapes.alerts import AlertView, DecisionView
from remediator.model.shapes.answers import Page
from remediator.model.shapes.approvals import ApprovalView
from remediator.model.shapes.holds import BreakerView
from remediator.model.shapes.remedies import RemedyView
from remediator.model.shapes.runs import RunView
from remediator.model.shapes.status import StatusView
from remediator.peers.http import verification
from remediator.tasks.health_check.facts import ALL, HEALTH_CHECK
from remediator.tasks.health_check.notes import CheckView, checks_of, line
from upkeeper.client.http import HttpClient
from upkeeper.look.firing import FiringView, Source, is_quiet, of_alertmanager, of_prometheus, of_record, with_doing
from upkeeper.look.watched import WatchedView, watched

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

HEALTH_TIMEOUT = 3.0
"""Seconds for an answer of a service."""
CHECK_TIMEOUT = 30.0
"""Seconds for a health-check of everything, each probe of which has a time limit of its own."""
LAST_RUNS = 5
PAGE = 100
"""Latest alerts, decisions and runs that are looked through for what is being done about an alert."""
_REMEDIES = {"remediator": ": start it by `upkeeper up`, or `upkeeper remediator` beside your own Prometheus"}
"""What to do about a service that was never started."""
_UNMUTED = "/api/v2/alerts?inhibited=false&silenced=false"


class ServiceView(TypedDict):
    """A service of the stack. ``url`` is null where it is not known to have been started. ``detail`` tells why it is
    down, or why one that is up does not act.
    """

    name: str
    url: str | None
    up: bool
    detail: str


class Overview(TypedDict):
    """``upkeeper status`` as JSON.

    ``problems`` are what a person should look at, the worst first; empty is good. ``remediator`` is null where one runs
    and gives no answer. ``checks`` are a health-check's, made now; ``watched`` is what the exporter measures beside its
    limits; ``alerts`` fire, or will if what they are about lasts, as ``alerts_from`` knows them. ``notes`` tell what
    could not be looked at.
    """

    problems: list[str]
    services: list[ServiceView]
    checks: list[CheckView]
    watched: list[WatchedView]
    alerts: list[FiringView]
    alerts_from: Source | None
    notes: list[str]
    remediator: StatusView | None
    runs: list[RunView]
    remedies: list[RemedyView]


async def look(client: Operations, urls: Mapping[str, str | None] | None, guess: str | None = None) -> Overview:
    """Asks everything at once.

    urls: where the parts of the stack are, by name; None: only the remediator is known. guess: where an exporter may
    be, too. Raises ClientError when the remediator is all that is known and cannot be asked.
    """
    known = {**(urls or {}), "remediator": client.url if isinstance(client, HttpClient) else None}
    async with _http([url for url in (*known.values(), guess) if url is not None]) as http:
        if guess is not None and (await _service(http, "exporter", guess))["up"]:
            known["exporter"] = guess
        checking = asyncio.ensure_future(_outcome(_checks(client)))
        services, record, figures, prometheus, alertmanager = await asyncio.gather(
            _services(http, known),
            _outcome(_Record.of(client)),
            _outcome(_figures(http, known.get("exporter"))),
            _outcome(_alerts(http, known.get("prometheus"), "/api/v1/alerts", of_prometheus)),
            _outcome(_alerts(http, known.get("alertmanager"), _UNMUTED, of_alertmanager)),
        )
        if isinstance(record, ClientError):
            checking.cancel()
            if not any(url for name, url in known.items() if name != "remediator"):
                raise record
        checked = await (_last_checks(http, known.get("exporter")) if isinstance(record, ClientError) else checking)
    recorded = record if isinstance(record, _Record) else None
    silent = recorded is None and not all(service["up"] for service in services if service["name"] == "remediator")
    alerts, source = _first_known(prometheus, alertmanager, recorded)
    checks, notes = ([], []) if isinstance(checked, ClientError) else checked
    figures_known = None if isinstance(figures, ClientError) else figures
    return {
        "problems": _worst_first(
            *((0, problem) for problem in problems(services, ())),
            *((0, str(failure)) for failure in (record, checked) if isinstance(failure, ClientError) and not silent),
            *((0, f"{check['name']} fails: {check['detail']}") for check in checks if check["state"] == "failed"),
            *((0, problem) for problem in (_of_audit(recorded.status) if recorded else ())),
            *_of_alerts(alerts),
            *_of_watched(figures_known or ()),
            *((1, problem) for problem in problems((), recorded.status["open_breakers"] if recorded else ())),
            *((1, problem) for problem in (untold(recorded.status) if recorded else ())),
            *((1, problem) for problem in _of_demoted(recorded.remedies["items"] if recorded else ())),
            *((1, _waits(one)) for one in (recorded.status.get("approvals", []) if recorded else ())),
            *((1, problem) for problem in _of_ballast(recorded, serving=isinstance(client, HttpClient))),
        ),
        "services": services,
        "checks": checks,
        "watched": figures_known or [],
        "alerts": alerts,
        "alerts_from": source,
        "notes": [*notes, *_unknown(urls is not None, figures, source), *_doubts(recorded)],
        "remediator": recorded.status if recorded else None,
        "runs": recorded.runs["items"][:LAST_RUNS] if recorded else [],
        "remedies": recorded.remedies["items"] if recorded else [],
    }


@asynccontextmanager
async def _http(urls: Collection[str]) -> "AsyncIterator[httpx.AsyncClient]":
    """What asks these. Without any there is nobody to ask, and the library is not even imported."""
    if not urls:
        yield None  # type: ignore[misc]  # nobody uses it: what has no URL is not asked
        return
    import httpx

    async with httpx.AsyncClient(timeout=HEALTH_TIMEOUT, trust_env=False, verify=verification(urls)) as http:
        yield http


@dataclass(frozen=True)
class _Record:
    """What the remediator says."""

    status: StatusView
    runs: Page[RunView]
    remedies: Page[RemedyView]
    alerts: Page[AlertView]
    decisions: Page[DecisionView]

    @classmethod
    async def of(cls, client: Operations) -> "_Record":
        return cls(
            *await asyncio.gather(
                client.status(),
                client.runs(limit=PAGE),
                client.remedies(),
                client.alerts(limit=PAGE),
                client.decisions(limit=PAGE),
            )
        )


async def _outcome(asked: Awaitable[T]) -> T | ClientError:
    try:
        return await asked
    except ClientError as error:
        return error


async def _checks(client: Operations) -> tuple[list[CheckView], list[str]]:
    """A health-check of everything, which records nothing; its checks and its remarks."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            plan = await client.plan(HEALTH_CHECK.name, ALL)
    except TimeoutError:
        message = f"the health check did not end within {CHECK_TIMEOUT:g} s"
        raise ClientError(message, EXIT_UNREACHABLE) from None
    except ClientError as error:
        if error.exit_code == EXIT_USAGE:  # there is no such task
            return [], []
        raise
    return checks_of(plan["measurement"]["values"], plan["plan"]["notes"])


async def _last_checks(http: "httpx.AsyncClient", exporter: str | None) -> tuple[list[CheckView], list[str]]:
    """What the exporter found in its last round of probes: of the services, and of no container."""
    if exporter is None:
        return [], ["The services could not be checked."]
    try:
        probes = (await _get(http, f"{exporter}/health", good=(HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE))).json()
        found = {f"{each['target']}/{each['probe']}": (each["success"], each["detail"]) for each in probes["probes"]}
    except ClientError as error:
        return [], [f"The services could not be checked: {error}."]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [], [f"The services could not be checked: unexpected answer of {exporter}/health."]
    notes = [line(name, good, detail) for name, (good, detail) in found.items()]
    remark = "The checks are those of the exporter's last round, without the containers' own."
    return checks_of({name: float(good) for name, (good, _) in found.items()}, [*notes, remark])


async def _figures(http: "httpx.AsyncClient", exporter: str | None) -> list[WatchedView] | None:
    """What the exporter measures; None where there is none to ask."""
    if exporter is None:
        return None
    from prometheus_client.parser import text_string_to_metric_families

    text = (await _get(http, f"{exporter}/metrics")).text
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError as error:
        raise ClientError(f"{exporter}/metrics is not in Prometheus's text format", EXIT_UNREACHABLE) from error
    return watched(samples, time.time())


async def _alerts(
    http: "httpx.AsyncClient", url: str | None, path: str, read: Callable[[Any], list[FiringView]]
) -> list[FiringView] | None:
    """The alerts as a service has them; None where there is none to ask."""
    if url is None:
        return None
    answer = await _get(http, f"{url}{path}")
    try:
        return read(answer.json())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClientError(f"unexpected answer of {url}{path}", EXIT_UNREACHABLE) from error


async def _get(http: "httpx.AsyncClient", url: str, good: Collection[int] = (HTTPStatus.OK,)) -> "httpx.Response":
    import httpx

    try:
        response = await http.get(url)
    except httpx.TimeoutException:
        raise ClientError(f"{url} gives no answer in {HEALTH_TIMEOUT:g} s", EXIT_UNREACHABLE) from None
    except httpx.HTTPError as error:
        raise ClientError(f"{url} does not answer: {error}", EXIT_UNREACHABLE) from error
    if response.status_code not in good:
        raise ClientError(f"{url} answers HTTP {response.status_code}", EXIT_UNREACHABLE)
    return response


def _first_known(
    prometheus: list[FiringView] | ClientError | None,
    alertmanager: list[FiringView] | ClientError | None,
    record: _Record | None,
) -> tuple[list[FiringView], Source | None]:
    """The alerts as who decides about them knows them, else as who was told does, with what is done about each."""
    received = record.alerts["items"] if record else []
    named: tuple[tuple[Source, list[FiringView] | ClientError | None], ...] = (
        ("prometheus", prometheus),
        ("alertmanager", alertmanager),
        ("record", of_record(received) if record else None),
    )
    for source, alerts in named:
        if isinstance(alerts, list):
            if record is None:
                return alerts, source
            decisions, runs = record.decisions["items"], record.runs["items"]
            return with_doing(alerts, received, decisions, runs, datetime.now(UTC)), source
    return [], None


def _unknown(whole: bool, figures: list[WatchedView] | ClientError | None, source: Source | None) -> Iterator[str]:
    """What could not be looked at. whole: whether more than the remediator was asked for."""
    if isinstance(figures, ClientError):
        yield f"What the exporter measures is not known: {figures}."
    elif figures is None and whole:
        yield "What the exporter measures is not known: no exporter was started on this state directory."
    if whole and source == "alertmanager":
        yield "The alerts are those in Alertmanager, because Prometheus does not answer."
    elif whole and source == "record":
        yield "The alerts are those that the remediator received, because neither Prometheus nor Alertmanager answers."


def problems(services: Collection[ServiceView], breakers: Iterable[BreakerView]) -> list[str]:
    """What is wrong with the stack itself, a sentence each."""
    down = [
        f"{_title(service)} is down: {service['detail']}"
        if service["url"]
        else f"{_title(service)} is not running{_REMEDIES.get(service['name'], '')}"
        for service in services
        if not service["up"]
    ]
    idle = [f"{_title(one)} does not act: {one['detail']}" for one in services if one["up"] and one["detail"]]
    return [*down, *idle] + [
        f"the breaker of {breaker['task']} on {breaker['target']} is open: the last runs did not help"
        for breaker in breakers
    ]


def untold(status: StatusView) -> Iterator[str]:
    """Ways by which people cannot be told, a sentence each."""
    for way in status.get("ways", []):
        if way["failing_since"] is not None:
            begun = f"first at {way['failing_since'][:19].replace('T', ' ')} UTC"
            yield f"messages to people by {way['name']} fail, {begun}: {way['reason']}"


def _of_demoted(remedies: Iterable[RemedyView]) -> Iterator[str]:
    levels = ("observe", "approve", "auto")
    for remedy in remedies:
        changed, configured = remedy.get("changed"), remedy.get("configured_autonomy", remedy["autonomy"])
        if changed is not None and levels.index(remedy["autonomy"]) < levels.index(configured):
            what, name = f"was demoted to {remedy['autonomy']}: {changed['reason']}", remedy["name"]
            yield f"remedy {name} {what}: upkeeper autonomy reset {name}"


def _of_audit(status: StatusView) -> Iterator[str]:
    faults = status["audit"]["faults"] if "audit" in status else []
    if faults:
        yield f"the audit is broken: {faults[0]}; see: upkeeper audit verify"


def _waits(one: ApprovalView) -> str:
    return f"{one['task']} on {one['target']} waits for a person: upkeeper approve {one['id']}"


def _of_alerts(alerts: Iterable[FiringView]) -> Iterator[tuple[int, str]]:
    """Those that fire, each with its rank, but for those that only tell something or have just been mended."""
    for alert in alerts:
        if alert["state"] == "firing" and not is_quiet(alert):
            about = f": {alert['summary']}" if alert["summary"] else ""
            doing = f"; {alert['doing']}" if alert["doing"] else ""
            yield (0 if alert["severity"] == "critical" else 1), f"{alert['name']} fires{about}{doing}"


def _of_watched(things: Iterable[WatchedView]) -> Iterator[tuple[int, str]]:
    for thing in things:
        if thing["state"] != "ok":
            yield (0 if thing["state"] == "critical" else 1), f"{thing['kind']} {thing['name']}: {thing['detail']}"


def _of_ballast(record: _Record | None, *, serving: bool) -> Iterator[str]:
    """serving: whether a remediator runs, which is what lays it."""
    ballast = record.status.get("ballast") if record else None  # an older remediator has none
    if serving and ballast is not None and not ballast["whole"]:
        has = f"{format_bytes(ballast['bytes'])} of {format_bytes(ballast['wanted_bytes'])}"
        if ballast["inodes"] < ballast["wanted_inodes"]:
            has += f", {ballast['inodes']} of {ballast['wanted_inodes']} inodes"
        why = f"; {ballast['lacks']}" if ballast["lacks"] else ""
        yield f"the ballast for a full disk is not whole ({has}){why}"


def _doubts(record: _Record | None) -> Iterator[str]:
    ballast = record.status.get("ballast") if record else None
    if ballast is not None and ballast["whole"] and ballast["doubt"]:
        yield f"The ballast for a full disk cannot be promised: {ballast['doubt']}."


def _worst_first(*ranked: tuple[int, str]) -> list[str]:
    return [problem for _, problem in sorted(ranked, key=lambda each: each[0])]


def _title(service: ServiceView) -> str:
    """Prometheus and Alertmanager are names."""
    name = service["name"]
    return name.capitalize() if name in ("prometheus", "alertmanager") else f"the {name}"


async def _services(http: "httpx.AsyncClient", urls: Mapping[str, str | None]) -> list[ServiceView]:
    known = [(name, url) for name, url in urls.items() if url is not None or name == "remediator"]
    return list(await asyncio.gather(*(_service(http, name, url) for name, url in known)))


async def _service(http: "httpx.AsyncClient", name: str, url: str | None) -> ServiceView:
    if url is None:
        return {"name": name, "url": None, "up": False, "detail": "not running"}
    import httpx

    try:
        response = await http.get(f"{url}/-/healthy")
    except httpx.TimeoutException:
        return {"name": name, "url": url, "up": False, "detail": f"no answer in {HEALTH_TIMEOUT:g} s"}
    except httpx.HTTPError as error:
        return {"name": name, "url": url, "up": False, "detail": str(error)}
    # One that asks who we are is there: a web config may ask for a user on every path.
    up = response.is_success or response.status_code == HTTPStatus.UNAUTHORIZED
    if not up:
        return {"name": name, "url": url, "up": False, "detail": f"HTTP {response.status_code}"}
    return {"name": name, "url": url, "up": True, "detail": await _not_ready(http, url) if name == "remediator" else ""}


async def _not_ready(http: "httpx.AsyncClient", url: str) -> str:
    """Why a remediator that answers does not act; empty when it does."""
    import httpx

    try:
        response = await http.get(f"{url}/-/ready")
        document = response.json() if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE else {}
        return str(document.get("detail", ""))
    except (httpx.HTTPError, ValueError, AttributeError):
        return ""
