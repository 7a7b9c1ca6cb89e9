"""The REST API: what each route takes and answers. The OpenAPI document is made from the same table."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from exporter.base.problem import problem
from remediator.control.core import PAGE, Core
from remediator.model.errors import RequestError, bad_request, not_found
from remediator.model.shapes import (
    AlertView,
    BreakerView,
    DecisionView,
    Page,
    PauseView,
    PlanView,
    RemedyView,
    RunView,
    StatusView,
    TaskView,
)

MAX_PAGE = 500
B = TypeVar("B", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlanRequest(_Body):
    """Asks what a task would do."""

    task: str
    target: str
    params: dict[str, JsonValue] = Field(default={}, description="the task's own parameters, by name")


class RunRequest(PlanRequest):
    """Asks for a run."""

    dry_run: bool = False


class PauseRequest(_Body):
    """Holds back a task, or everything."""

    task: str | None = None
    reason: str = Field(min_length=1, max_length=500)
    seconds: float | None = Field(default=None, gt=0, description="until resumed when left out")


Handler = Callable[[Core, web.Request], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """One operation. ``answer`` is the type of what it answers, for the document."""

    method: str
    path: str
    summary: str
    handle: Handler
    answer: Any
    body: type[BaseModel] | None = None
    status: int = 200
    query: Mapping[str, str] = field(default_factory=dict)


async def _body(request: web.Request, model: type[B]) -> B:
    try:
        return model.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_request(f"{where}: {first['msg']}" if where else first["msg"]) from error


def _number(request: web.Request, name: str, default: int | None, most: int | None = None) -> int | None:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) < 1:
        raise bad_request(f"{name} must be a whole number from 1 on")
    return min(int(text), most) if most else int(text)


def _paging(request: web.Request) -> dict[str, Any]:
    return {"limit": _number(request, "limit", PAGE, MAX_PAGE), "before": _number(request, "before", None)}


async def _alerts(core: Core, request: web.Request) -> Page[AlertView]:
    return await core.alerts(**_paging(request))


async def _decisions(core: Core, request: web.Request) -> Page[DecisionView]:
    return await core.decisions(**_paging(request))


async def _runs(core: Core, request: web.Request) -> Page[RunView]:
    return await core.runs(**_paging(request))


async def _run(core: Core, request: web.Request) -> RunView:
    text = request.match_info["id"]
    if len(text) > 18:
        raise not_found("there is no such run")
    return await core.run(int(text))


async def _remedies(core: Core, request: web.Request) -> Page[RemedyView]:
    return await core.remedies()


async def _tasks(core: Core, request: web.Request) -> Page[TaskView]:
    return await core.tasks()


async def _status(core: Core, request: web.Request) -> StatusView:
    return await core.status()


async def _plan(core: Core, request: web.Request) -> PlanView:
    body = await _body(request, PlanRequest)
    return await core.plan(body.task, body.target, body.params)


async def _start_run(core: Core, request: web.Request) -> RunView:
    body = await _body(request, RunRequest)
    return await core.start_run(body.task, body.target, body.dry_run, body.params)


async def _pause(core: Core, request: web.Request) -> list[PauseView]:
    body = await _body(request, PauseRequest)
    return await core.pause(body.task, body.reason, body.seconds)


async def _resume(core: Core, request: web.Request) -> list[PauseView]:
    return await core.resume(request.query.get("task"))


async def _close_breaker(core: Core, request: web.Request) -> list[BreakerView]:
    return await core.close_breaker(request.match_info["task"], request.match_info["target"])


_PAGED = {
    "limit": f"items on the page, {PAGE} unless given, {MAX_PAGE} at most",
    "before": "cursor: `next` of the page before",
}

ROUTES = (
    Route("GET", "/alerts", "Episodes of alerts, newest first", _alerts, Page[AlertView], query=_PAGED),
    Route("GET", "/decisions", "Decisions about alerts, newest first", _decisions, Page[DecisionView], query=_PAGED),
    Route("GET", "/runs", "Runs, newest first", _runs, Page[RunView], query=_PAGED),
    Route("GET", r"/runs/{id:\d+}", "One run with its plan, actions and measurements", _run, RunView),
    Route("GET", "/remedies", "The configured remedies with their track", _remedies, Page[RemedyView]),
    Route("GET", "/tasks", "The tasks and what they can work on now", _tasks, Page[TaskView]),
    Route("GET", "/status", "The remediator at a glance", _status, StatusView),
    Route("POST", "/plans", "What a task would do now, and what would block it", _plan, PlanView, PlanRequest),
    Route("POST", "/runs", "Start a run, through the same guards as an alert's", _start_run, RunView, RunRequest, 202),
    Route("POST", "/pause", "Hold back a task, or everything", _pause, list[PauseView], PauseRequest),
    Route(
        "DELETE",
        "/pause",
        "End a pause",
        _resume,
        list[PauseView],
        query={"task": "a task's pause; else the general one"},
    ),
    Route("DELETE", "/breakers/{task}/{target}", "Close a breaker by hand", _close_breaker, list[BreakerView]),
)


def endpoint(route: Route, core: Core) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An aiohttp handler that answers JSON, and a refused request as RFC 9457 problem."""

    async def respond(request: web.Request) -> web.Response:
        try:
            answer = await route.handle(core, request)
        except RequestError as error:
            if error.guard is None:
                return problem(error.status, detail=str(error))
            return problem(error.status, detail=str(error), guard=error.guard)
        return web.json_response(answer, status=route.status)

    return respond


_WEBHOOK = {
    "summary": "Take a notification of Alertmanager (webhook payload version 4); stored before it is answered",
    "operationId": "alertmanager",
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "responses": {"202": {"description": "stored"}, "default": {"description": "an error"}},
}


def openapi(version: str) -> dict[str, Any]:
    """The API's description as an OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for route in ROUTES:
        path = "/api/v1" + route.path.replace(r":\d+", "")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schemas)
    paths["/api/v1/alertmanager"] = {"post": _WEBHOOK}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Upkeeper remediator",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _operation(route: Route, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name.strip("{}"), "in": "path", "required": True, "schema": {"type": "string"}}
        for name in path.split("/")
        if name.startswith("{")
    ] + [
        {
            "name": name,
            "in": "query",
            "description": meaning,
            "schema": {"type": "string" if name == "task" else "integer"},
        }
        for name, meaning in route.query.items()
    ]
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handle.__name__.lstrip("_"),
        "parameters": parameters,
        "responses": {
            str(route.status): {"description": route.summary, "content": _content(route.answer, schemas)},
            "default": {
                "description": "an error",
                "content": {"application/problem+json": {"schema": {"type": "object"}}},
            },
        },
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body, schemas)}
    return operation


def _content(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    return {"application/json": {"schema": json.loads(json.dumps(schema))}}
