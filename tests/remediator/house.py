"""A remediator without its web server beside a real Alertmanager: who deals with what is sent between them."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from aiohttp.test_utils import TestServer

from exporter.base.text import format_time_ms
from remediator.app import build_app
from remediator.config.config import Config
from remediator.config.remedies import Remedy
from remediator.control.core import Core
from remediator.control.settings import Settings
from remediator.decide.remedies import Remedies
from remediator.model.alert import Notification, ReceivedAlert
from remediator.statedir import StateDir
from remediator.tasks.resources import Resources
from tests.remediator.sweep import Sweep


class MovedClock:
    """The real time, and so many seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class House:
    """A Core with its engine, the attic that its task sweeps, and the Alertmanagers that it asks."""

    core: Core
    clock: MovedClock
    task: Sweep
    attic: Path
    urls: list[str] = field(default_factory=list)

    async def post(self, *, room: str = "attic", ended: bool = False, since: float | None = None, **more: str) -> None:
        """Tells every Alertmanager of an alert, as Prometheus does."""
        await self.post_to(self.urls, room=room, ended=ended, since=since, **more)

    async def post_to(
        self, urls: Sequence[str], *, room: str = "attic", ended: bool = False, since: float | None = None, **more: str
    ) -> None:
        """Tells some of them."""
        now = time.time()
        alert: dict[str, Any] = {"labels": {"alertname": "Cluttered", "room": room, **more}}
        alert["startsAt"] = format_time_ms(now if since is None else since)
        alert["endsAt"] = format_time_ms(now if ended else now + 600)
        async with httpx.AsyncClient(verify=False) as client:
            for url in urls:
                (await client.post(f"{url}/api/v2/alerts", json=[alert])).raise_for_status()

    async def silence(self, seconds: float = 600.0, **labels: str) -> str:
        """What a person does: a silence, at the first of them. Its id."""
        now = time.time()
        document = {
            "matchers": [{"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in labels.items()],
            "startsAt": format_time_ms(now),
            "endsAt": format_time_ms(now + seconds),
            "createdBy": "anna",
            "comment": "moving house",
        }
        async with httpx.AsyncClient(verify=False) as client:
            answer = (await client.post(f"{self.urls[0]}/api/v2/silences", json=document)).raise_for_status()
            return str(answer.json()["silenceID"])

    async def unsilence(self, id: str) -> None:
        async with httpx.AsyncClient(verify=False) as client:
            (await client.delete(f"{self.urls[0]}/api/v2/silence/{id}")).raise_for_status()

    async def silences(self, state: str = "active") -> list[dict[str, Any]]:
        """Those in a state, as the first Alertmanager has them."""
        async with httpx.AsyncClient(verify=False) as client:
            found = (await client.get(f"{self.urls[0]}/api/v2/silences")).raise_for_status().json()
        return [each for each in found if each["status"]["state"] == state]

    async def receive(self) -> None:
        """Delivers what the first Alertmanager has, as its webhook does."""
        async with self.core.peers.alertmanager(self.urls[0]) as peer:
            found = [
                ReceivedAlert(
                    fingerprint=one.fingerprint, starts_at=one.starts_at, status="firing", labels=dict(one.labels)
                )
                for one in await peer.alerts()
            ]
        await self.core.inbox.accept(Notification(group_key="{}", receiver="remediator", alerts=tuple(found)))
        while await self.core.decider.decide_batch():
            pass

    async def look(self, *, ahead: float = 0.0) -> None:
        """Compares with Alertmanager, so much later, and decides what there is to decide."""
        self.clock.ahead += ahead
        await self.core.reconciler.look()
        while await self.core.decider.decide_batch():
            pass

    async def alerts(self) -> list[tuple[str, str | None]]:
        """Status and muting of each episode, oldest first."""
        return [(each["status"], each["muted"]) for each in (await self.core.alerts())["items"][::-1]]

    def missed(self, kind: str) -> float | None:
        return self.core.registry.get_sample_value("upkeeper_reconcile_missed_total", {"kind": kind})

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        """Takes webhooks there, decides, compares and keeps silences, as the service does."""
        await self.core.listen()
        server = TestServer(build_app(self.core, lambda: True), port=port)
        await server.start_server()
        work = [
            asyncio.create_task(part)
            for part in (self.core.decider.run(), self.core.reconciler.run(), self.core.keeper.run())
        ]
        try:
            yield
        finally:
            for task in work:
                task.cancel()
            await asyncio.wait(work)
            await server.close()


@asynccontextmanager
async def house(directory: Path, remedy: Remedy, urls: list[str], **config: Any) -> AsyncIterator[House]:
    """One whose attic is cluttered. config: further sections."""
    attic = directory / "attic"
    attic.mkdir(exist_ok=True)
    for number in range(3):
        (attic / f"f{number}").touch()
    state = StateDir(directory / "state")
    state.ensure()
    task, clock = Sweep(attic), MovedClock()
    settings = Config.model_validate({"alertmanager": {"urls": urls}, **config})
    made = Settings(settings, Remedies([remedy]), {task.facts.name: task}, Resources(Config()))
    core = Core(state, made, clock=clock)
    await core.open()
    await core.start_engine()
    try:
        yield House(core, clock, task, attic, urls)
    finally:
        await core.close()


def alertmanager_config(
    directory: Path, webhook: str, *, token: Path | None = None, smarthost: str = "", max_alerts: int = 0, **route: Any
) -> Path:
    """The config of an Alertmanager that calls a webhook, and, a quarter of a minute later, mails people."""
    path = directory / "alertmanager.yml"
    pace = {"group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "5m"}
    http = {} if token is None else {"http_config": {"authorization": {"credentials_file": str(token)}}}
    document: dict[str, Any] = {
        "route": {"receiver": "remediator", **pace, **route},
        "receivers": [{"name": "remediator", "webhook_configs": [{"url": webhook, "max_alerts": max_alerts, **http}]}],
    }
    if smarthost:
        mail = {"to": "anna@example.org", "from": "am@example.org", "smarthost": smarthost, "require_tls": False}
        mail |= {"send_resolved": True, "headers": {"Subject": "{{ .Status }} {{ .CommonLabels.room }}"}}
        document["receivers"].append({"name": "people", "email_configs": [mail]})
        people = {"receiver": "people", **pace, "group_wait": "15s"}
        document["route"]["routes"] = [{"receiver": "remediator", "continue": True}, people]
    path.write_text(yaml.safe_dump(document))
    return path
