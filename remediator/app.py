"""The aiohttp application: webhook, REST API, /metrics and the probes."""

import hmac
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from exporter import __version__
from exporter.base.metrics_response import metrics_answer
from exporter.base.problem import problem, problem_middleware
from exporter.exposition import Format, compress, join, render
from remediator.api.openapi import openapi
from remediator.api.operations import API
from remediator.api.routes import add_routes
from remediator.control.core import Core
from remediator.statedir import StateDir, read_token
from remediator.webhook.endpoint import WebhookMetrics, webhook_handler
from remediator.webhook.payload import MAX_BODY

WEBHOOK = f"{API}/alertmanager"


def build_app(core: Core, ready: Callable[[], bool], waits: Callable[[], str] = lambda: "") -> web.Application:
    """The application on an opened Core.

    ready: whether alerts that are accepted now will be acted on. waits: why not, where there is more to say than that
    the engine has not started yet.
    """
    operator = read_token(core.state.operator_token)
    alertmanager = read_token(core.state.alertmanager_token)
    app = web.Application(middlewares=[problem_middleware, _bearer(operator)], client_max_size=MAX_BODY)
    webhook = webhook_handler(core.inbox.accept, lambda: alertmanager, WebhookMetrics(core.registry))
    app.router.add_route("*", WEBHOOK, webhook)
    add_routes(app.router, core)
    app.router.add_get(f"{API}/openapi.json", _document)
    app.router.add_get("/metrics", _metrics(core))
    app.router.add_get("/-/healthy", _healthy)
    app.router.add_get("/-/ready", _ready(ready, waits))
    return app


def own_credential(state: StateDir) -> Callable[[web.Request], bool]:
    """Whether a request needs no other credential: below the API one of ours is asked for in any case, and elsewhere
    one of ours does too. Raises OSError or ValueError when a token cannot be read.
    """
    tokens = [f"Bearer {read_token(path)}".encode() for path in (state.operator_token, state.alertmanager_token)]

    def own(request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        same = [hmac.compare_digest(given, token) for token in tokens]
        return any(same) or request.path.startswith(f"{API}/")

    return own


def over_limit(request: web.Request) -> int:
    """The status for a request over a rate limit. Alertmanager tries again after 503, and drops what gets 429."""
    return 503 if request.path == WEBHOOK else 429


def _bearer(token: str) -> Middleware:
    """Lets only the operator's token to the API; the webhook has a credential of its own."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(f"{API}/") and request.path != WEBHOOK:
            given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
            if not hmac.compare_digest(given, expected):
                return problem(401, detail="a bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return check


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
