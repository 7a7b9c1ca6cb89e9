"""The REST API: a route for each line of the table of operations."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from exporter.base.problem import problem
from remediator.api.operations import API, DIGITS, OPERATIONS, Operation, Operations
from remediator.api.parameters import Parameter, body, parameters
from remediator.model.errors import RequestError, bad_request, not_found
from remediator.model.shapes.runs import ArtefactContent
from remediator.webhook.payload import ESCAPED_NUL

_NUL = "text must not have the character NUL"  # which PostgreSQL does not store


def add_routes(router: web.UrlDispatcher, remediator: Operations) -> None:
    """Serves every operation of the table, asked of ``remediator``."""
    for operation in OPERATIONS:
        router.add_route(operation.method, API + _pattern(operation), _endpoint(operation, remediator))


def _pattern(operation: Operation) -> str:
    """The path as aiohttp has it: a number is digits."""
    path = operation.path
    for each in parameters(operation):
        if each.place == "path" and each.kind is int:
            path = path.replace(f"{{{each.name}}}", f"{{{each.name}:[0-9]+}}")
    return path


def _endpoint(operation: Operation, remediator: Operations) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An aiohttp handler that answers JSON, and a refused request as RFC 9457 problem."""

    async def respond(request: web.Request) -> web.Response:
        try:
            answer = await remediator.ask(operation, await _values(operation, request))
        except RequestError as error:
            if error.guard is None:
                return problem(error.status, detail=str(error))
            return problem(error.status, detail=str(error), guard=error.guard)
        if operation.file:
            return download(answer)
        return web.json_response(answer, status=operation.status)

    respond.role = operation.role  # type: ignore[attr-defined]  # who is at the door asks the route for it
    return respond


def download(content: ArtefactContent, *, shown: bool = False) -> web.Response:
    """The bytes as a file. Whatever a browser makes of them, no script in them runs and nothing is fetched.

    shown: a browser may show them where it can, in place of saving them.
    """
    disposition = "inline" if shown else "attachment"
    return web.Response(
        body=content["content"],
        headers={
            hdrs.CONTENT_TYPE: content["media_type"],
            hdrs.CONTENT_DISPOSITION: f"{disposition}; {_named(content['name'])}",
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
            " frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _named(name: str) -> str:
    """A file's name in a header, whatever is in it: RFC 6266, with what is no ASCII beside it as RFC 8187 has it."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    encoded = quote(name, safe="", errors="replace")
    return f'filename="{plain}"' if plain == name else f"filename=\"{plain}\"; filename*=UTF-8''{encoded}"


async def _values(operation: Operation, request: web.Request) -> dict[str, Any]:
    """The parameters in a request. Raises RequestError."""
    values: dict[str, Any] = {}
    for each in parameters(operation):
        if each.place == "path":
            values[each.name] = _in_path(operation, each, request.match_info[each.name])
        elif each.place == "query":
            values[each.name] = _in_query(each, request.query.get(each.name))
    if any(isinstance(value, str) and "\0" in value for value in values.values()):
        raise bad_request(_NUL)
    shape = body(operation)
    if shape is not None:
        given = await _body(request, shape)
        values |= {name: getattr(given, name) for name in shape.model_fields}
    return values


def _in_path(operation: Operation, each: Parameter, text: str) -> int | str:
    if each.kind is not int:
        return text
    if len(text) > DIGITS:
        raise not_found(f"there is no such {operation.name}")
    return int(text)


def _in_query(each: Parameter, text: str | None) -> Any:
    if text is None and each.required:
        raise bad_request(f"{each.name} is missing from the query")
    if text is None:
        return each.default
    if each.about.among and text not in each.about.among:
        raise bad_request(f"{each.name} must be one of {', '.join(each.about.among)}")
    if each.kind is not int:
        return text
    if not text.isascii() or not text.isdecimal() or len(text) > DIGITS or int(text) < 1:
        raise bad_request(f"{each.name} must be a whole number from 1 on")
    return min(int(text), each.about.most) if each.about.most else int(text)


async def _body(request: web.Request, shape: type[BaseModel]) -> BaseModel:
    text = await request.read() or b"{}"
    if ESCAPED_NUL.search(text):
        raise bad_request(_NUL)
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_request(f"{where}: {first['msg']}" if where else first["msg"]) from error
