"""What our own services, Prometheus and Alertmanager answer over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from exporter.base.units import format_duration
from remediator import endpoints
from remediator.diagnosis.part import Part
from remediator.peers.http import PeerClient, PeerError, is_loopback, verification
from remediator.peers.places import Peers
from remediator.peers.prometheus import Prometheus
from remediator.statedir import read_token

SECONDS = 10.0
MAX_BYTES = 4 * 1024 * 1024
EXPORTER = "http://127.0.0.1:10746"
REMEDIATOR = "http://127.0.0.1:10747"
"""Where they listen unless told otherwise."""
API = "/api/v1"
PLANS_SECONDS, PLAN_SECONDS = 15.0, 10.0
"""For all plans, and for one."""
MOST_PLANS, PLANS_AT_ONCE = 60, 4
MOST_ALERTS = 200


def metrics_parts(state_dir: Path) -> Sequence[Part]:
    """The metrics that both services serve now."""
    return [
        Part("metrics/exporter.txt", partial(_metrics, state_dir, "exporter", EXPORTER)),
        Part("metrics/remediator.txt", partial(_metrics, state_dir, "remediator", REMEDIATOR)),
        Part("health/exporter.json", partial(_health, state_dir)),
    ]


def peer_parts(peers: Peers) -> Sequence[Part]:
    """Prometheus's and Alertmanager's status, targets, rules, alerts and silences."""

    async def prometheus(ask: Callable[[Prometheus], Any]) -> Any:
        async with peers.prometheus(SECONDS) as client:
            return await ask(client)

    async def alertmanager() -> dict[str, Any]:
        return {url: await _alertmanager(peers, url) for url in peers.urls("alertmanager")}

    questions: Mapping[str, Callable[[Prometheus], Any]] = {
        "build": lambda client: client.status("buildinfo"),
        "runtime": lambda client: client.status("runtimeinfo"),
        "flags": lambda client: client.status("flags"),
        "config": lambda client: client.status("config"),
        "targets": lambda client: client.targets(),
        "rules": lambda client: client.rules(),
    }
    return [
        *(Part(f"prometheus/{name}.json", partial(prometheus, ask)) for name, ask in questions.items()),
        Part("alertmanager/status.json", alertmanager),
    ]


async def _alertmanager(peers: Peers, url: str) -> dict[str, Any]:
    async with peers.alertmanager(url) as client:
        standing, alerts, silences = await client.standing(), await client.alerts(), await client.silences()
    return {
        "status": asdict(standing),
        "alerts": [{**asdict(one), "receivers": sorted(one.receivers)} for one in alerts[:MOST_ALERTS]],
        "silences": [asdict(one) for one in silences[:MOST_ALERTS]],
    }


def _url(state_dir: Path, name: str, usual: str) -> str:
    known = endpoints.read(state_dir)
    url: str | None = getattr(known, name, None)
    return url or usual


async def _metrics(state_dir: Path, name: str, usual: str) -> str:
    return (await _get(f"{_url(state_dir, name, usual)}/metrics")).decode(errors="replace")


async def _health(state_dir: Path) -> str:
    return (await _get(f"{_url(state_dir, 'exporter', EXPORTER)}/health", good=(200, 503))).decode(errors="replace")


def plan_parts(state_dir: Path, token: Path, skip: Collection[str]) -> Sequence[Part]:
    """What each task would do now, asked of the remediator that runs. skip: tasks that are not asked."""

    async def plans() -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {read_token(token)}"}
        url = _url(state_dir, "remediator", REMEDIATOR)
        async with PeerClient("the remediator", url, PLAN_SECONDS, MAX_BYTES) as client:
            tasks = _good(await client.ask("GET", f"{API}/tasks", headers=headers))["items"]
            asked = [(one["name"], target) for one in tasks if one["name"] not in skip for target in one["targets"]]
            return await first_within(
                PLANS_SECONDS,
                {
                    f"{task} on {target}": partial(_plan, client, headers, task, target)
                    for task, target in asked[:MOST_PLANS]
                },
            )

    return [Part("plans.json", plans)]


async def _plan(client: PeerClient, headers: Mapping[str, str], task: str, target: str) -> Any:
    try:
        return _good(await client.ask("POST", f"{API}/plans", headers=headers, json={"task": task, "target": target}))
    except PeerError as error:
        return {"problem": str(error)}


async def first_within(seconds: float, asked: Mapping[str, Callable[[], Awaitable[Any]]]) -> dict[str, Any]:
    """The answers, some asked at the same time; of those that take longer it is said that they are not known."""
    places = asyncio.Semaphore(PLANS_AT_ONCE)

    async def answer(ask: Callable[[], Awaitable[Any]]) -> Any:
        async with places:
            return await ask()

    tasks = {name: asyncio.create_task(answer(ask)) for name, ask in asked.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=seconds)
        late = {"problem": f"not known within {format_duration(seconds)}"}
        return {name: task.result() if task.done() else late for name, task in tasks.items()}
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _good(answer: tuple[int, Any]) -> Any:
    status, document = answer
    if status != 200:
        detail = document.get("detail") if isinstance(document, dict) else None
        raise PeerError(str(detail or f"HTTP {status}"), status)
    return document


async def _get(url: str, good: Collection[int] = (200,)) -> bytes:
    """The body of an answer, or as much of it as is kept. Raises PeerError, and httpx.HTTPError."""
    import httpx

    client = httpx.AsyncClient(timeout=SECONDS, verify=verification([url]), trust_env=not is_loopback(url))
    body = bytearray()
    async with client, client.stream("GET", url) as answer:
        if answer.status_code not in good:
            raise PeerError(f"{url} answers {answer.status_code}", answer.status_code)
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > MAX_BYTES:
                break
    return bytes(body)
