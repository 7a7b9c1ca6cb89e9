"""The aiohttp application: webhook, REST API, /metrics and the probes."""

import hmac
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from exporter import __version__
from exporter.base.metrics_response import metrics_answer
from exporter.base.problem import problem, problem_middleware
from exporter.exposition import Format, compress, join, render
from remediator.access.door import WEBHOOK, Door
from remediator.access.failures import Failures
from remediator.access.headers import for_browsers
from remediator.api.openapi import openapi
from remediator.api.operations import API
from remediator.api.routes import add_routes
from remediator.console.console import Console
from remediator.console.people import People, Users
from remediator.console.static import BASE
from remediator.control.core import Core
from remediator.statedir import StateDir, read_token
from remediator.webhook.endpoint import WebhookMetrics, webhook_handler
from remediator.webhook.payload import MAX_BODY


def build_app(
    core: Core,
    ready: Callable[[], bool],
    waits: Callable[[], str] = lambda: "",
    *,
    tls: bool = False,
    users: Users | None = None,
) -> web.Application:
    """The application on an opened Core.

    ready: whether alerts that are accepted now will be acted on. waits: why not, where there is more to say than that
    the engine has not started yet. tls: whether it is served over TLS alone. users: those of the web config.
    """
    for name, path in (("operator", core.state.operator_token), ("alertmanager", core.state.alertmanager_token)):
        core.access.add_file(name, read_token(path))
    failures = Failures()
    door = Door(core.access, failures)
    app = web.Application(middlewares=[problem_middleware, door.middleware], client_max_size=MAX_BODY)
    app.on_response_prepare.append(for_browsers)
    webhook = webhook_handler(core.inbox.accept, door.check_webhook, WebhookMetrics(core.registry))
    app.router.add_route("*", WEBHOOK, webhook)
    add_routes(app.router, core)
    people = People(lambda: core.config.console, users)
    console = Console(core, core.access, people, core.links, failures, core.clock, lambda: core.writes, secure=tls)
    console.add_to(app)
    app.router.add_get(f"{API}/openapi.json", _document)
    app.router.add_get("/metrics", _metrics(core))
    app.router.add_get("/-/healthy", _healthy)
    app.router.add_get("/-/ready", _ready(ready, waits))
    return app


def own_credential(state: StateDir) -> Callable[[web.Request], bool]:
    """Whether a request needs no other credential: the API and the console ask for one of ours in any case, and
    elsewhere one of ours does too. Raises OSError or ValueError when a token cannot be read.
    """
    tokens = [f"Bearer {read_token(path)}".encode() for path in (state.operator_token, state.alertmanager_token)]

    def own(request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        same = [hmac.compare_digest(given, token) for token in tokens]
        return any(same) or request.path == "/" or f"{request.path}/".startswith((f"{API}/", f"{BASE}/"))

    return own


def over_limit(request: web.Request) -> int:
    """The status for a request over a rate limit. Alertmanager tries again after 503, and drops what gets 429."""
    return 503 if request.path == WEBHOOK else 429


async def _document(request: web.Request) -> web.Response:
    """Made on request: it takes 5 MB and is seldom needed."""
    return web.json_response(openapi(__version__))


def _metrics(core: Core) -> Handler:
    async def respond(request: web.Request) -> web.Response:
        await core.upkeep.refresh_metrics()

        def body(form: Format, gzip: bool) -> bytes:
            whole = join([render(core.registry.collect())], form)
            return compress(whole) if gzip else whole

        return metrics_answer(request, body)

    return respond


async def _healthy(request: web.Request) -> web.Response:
    return web.Response(text="Healthy\n")


def _ready(ready: Callable[[], bool], waits: Callable[[], str]) -> Handler:
    async def respond(request: web.Request) -> web.Response:
        if ready():
            return web.Response(text="Ready\n")
        return problem(503, detail=waits() or "the engine is not running yet")

    return respond
