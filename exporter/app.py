"""The exporter's aiohttp application. No handler waits for anything: each serves what the snapshot holds."""

import time
from collections.abc import Callable, Mapping

from aiohttp import web

from exporter import landing_page
from exporter.base.metrics_response import metrics_answer
from exporter.base.problem import problem, problem_middleware
from exporter.exposition import Format, compress
from exporter.snapshot import Snapshot, UnknownCollector

Health = Callable[[], tuple[int, Mapping[str, object]]]


def build_app(snapshot: Snapshot, health: Health, wall: Callable[[], float] = time.time) -> web.Application:
    """The application.

    health: HTTP status and JSON document of ``/health``. wall: Unix seconds.
    """

    async def metrics(request: web.Request) -> web.Response:
        names = request.query.getall("collect[]", [])

        def part(form: Format, gzip: bool) -> bytes:
            body = snapshot.part(names, form)
            return compress(body) if gzip else body

        try:
            return metrics_answer(request, part if names else snapshot.body)
        except UnknownCollector as error:
            return problem(400, detail=str(error))

    async def show_health(_: web.Request) -> web.Response:
        status, document = health()
        return web.json_response(document, status=status)

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="Healthy\n")

    async def ready(_: web.Request) -> web.Response:
        if snapshot.ready:
            return web.Response(text="Ready\n")
        waiting = [section.collector.name for section in snapshot.sections if section.success is None]
        return problem(503, detail=f"collecting for the first time: {', '.join(waiting) or 'starting'}")

    async def root(_: web.Request) -> web.Response:
        return web.Response(
            text=landing_page.page(snapshot.sections, wall()),
            content_type="text/html",
            headers={"Content-Security-Policy": landing_page.CONTENT_SECURITY_POLICY},
        )

    app = web.Application(middlewares=[problem_middleware])
    app.router.add_get("/", root)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/health", show_health)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", ready)
    return app
