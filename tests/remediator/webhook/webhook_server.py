"""The webhook on a real aiohttp server, with what it did written down."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry

from exporter.base.problem import problem_middleware
from remediator.access.door import Door
from remediator.access.failures import Failures
from remediator.control.access import Grant
from remediator.model.alert import Notification
from remediator.webhook.endpoint import WebhookMetrics, webhook_handler

PATH = "/api/v1/alertmanager"
TOKEN = "correct-horse-battery-staple"


@dataclass
class Webhook:
    """accept may be replaced to fail or to wait; accepted holds what it took."""

    port: int = 0
    token: str = TOKEN
    accepted: list[Notification] = field(default_factory=list)
    accept: Callable[[Notification], Awaitable[int]] | None = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def received(self) -> float:
        """The counter of alerts received."""
        return self.registry.get_sample_value("upkeeper_alerts_received_total") or 0

    def rejected(self) -> dict[str, float]:
        """The counters of rejected calls that are not zero, by reason."""
        (family,) = (one for one in self.registry.collect() if one.name == "upkeeper_webhook_rejected")
        return {
            sample.labels["reason"]: sample.value
            for sample in family.samples
            if sample.name.endswith("_total") and sample.value
        }

    async def take(self, notification: Notification) -> int:
        """Accepts, unless the test put something else in its place."""
        count = await self.accept(notification) if self.accept else len(notification.alerts)
        self.accepted.append(notification)
        return count


@dataclass(frozen=True)
class _OneToken:
    """Stands in for Access: it knows one token, which a test may change."""

    webhook: Webhook

    async def grant(self, token: bytes) -> Grant | None:
        return Grant("alertmanager", "alertmanager") if token == self.webhook.token.encode() else None


@asynccontextmanager
async def running_webhook(read_timeout: float = 10.0) -> AsyncIterator[Webhook]:
    """The webhook on a free port of 127.0.0.1."""
    webhook = Webhook()
    app = web.Application(middlewares=[problem_middleware])
    seldom = itertools.count(step=3600)
    door = Door(_OneToken(webhook), Failures(lambda: float(next(seldom))))  # type: ignore[arg-type]
    metrics = WebhookMetrics(webhook.registry)
    app.router.add_route("*", PATH, webhook_handler(webhook.take, door.check_webhook, metrics, read_timeout))
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        webhook.port = runner.addresses[0][1]
        yield webhook
    finally:
        await runner.cleanup()
