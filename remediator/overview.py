"""The whole stack at a glance: which services answer, what the remediator says, and what a person should look at."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TypedDict

from remediator import endpoints
from remediator.client import Client, HttpClient, verification
from remediator.shapes import BreakerView, RemedyView, RunView, StatusView

HEALTH_TIMEOUT = 3.0
"""Seconds for a service's ``/-/healthy``."""
LAST_RUNS = 5


class ServiceView(TypedDict):
    """A service of the stack. ``url`` is null where it is not known to have been started."""

    name: str
    url: str | None
    up: bool
    detail: str


class Overview(TypedDict):
    """``upkeeper status`` as JSON. ``problems`` are what a person should look at; empty is good."""

    problems: list[str]
    services: list[ServiceView]
    remediator: StatusView
    runs: list[RunView]
    remedies: list[RemedyView]


async def look(client: Client, state_dir: Path | None) -> Overview:
    """Asks everything at once. state_dir: where the stack's endpoints are written; None: only the remediator is known.

    Raises ClientError when the remediator that is meant cannot be asked, and OSError.
    """
    known = endpoints.read(state_dir) if state_dir is not None else None
    urls = (known or endpoints.Endpoints()).urls()
    urls["remediator"] = client.url if isinstance(client, HttpClient) else None
    services, status, runs, remedies = await asyncio.gather(
        _services({name: url for name, url in urls.items() if url is not None or name == "remediator"}),
        client.status(),
        client.runs(limit=LAST_RUNS),
        client.remedies(),
    )
    return {
        "problems": problems(services, status["open_breakers"]),
        "services": services,
        "remediator": status,
        "runs": runs["items"],
        "remedies": remedies["items"],
    }


def problems(services: Sequence[ServiceView], breakers: Sequence[BreakerView]) -> list[str]:
    """What a person should look at, a sentence each."""
    down = [
        f"{_title(service)} is down: {service['detail']}" if service["url"] else f"{_title(service)} is not running"
        for service in services
        if not service["up"]
    ]
    return down + [
        f"the breaker of {breaker['task']} on {breaker['target']} is open: the last runs did not help"
        for breaker in breakers
    ]


def _title(service: ServiceView) -> str:
    """Prometheus and Alertmanager are names."""
    name = service["name"]
    return name.capitalize() if name in ("prometheus", "alertmanager") else f"the {name}"


async def _services(urls: dict[str, str | None]) -> list[ServiceView]:
    import httpx

    verify = verification(url for url in urls.values() if url is not None)
    async with httpx.AsyncClient(timeout=HEALTH_TIMEOUT, trust_env=False, verify=verify) as http:

        async def ask(name: str, url: str | None) -> ServiceView:
            if url is None:
                return {"name": name, "url": None, "up": False, "detail": "not running"}
            try:
                response = await http.get(f"{url}/-/healthy")
            except httpx.TimeoutException:
                return {"name": name, "url": url, "up": False, "detail": f"no answer in {HEALTH_TIMEOUT:g} s"}
            except httpx.HTTPError as error:
                return {"name": name, "url": url, "up": False, "detail": str(error)}
            # One that asks who we are is there: a web config may ask for a user on every path.
            up = response.is_success or response.status_code == HTTPStatus.UNAUTHORIZED
            return {"name": name, "url": url, "up": up, "detail": "" if up else f"HTTP {response.status_code}"}

        return list(await asyncio.gather(*(ask(name, url) for name, url in urls.items())))
