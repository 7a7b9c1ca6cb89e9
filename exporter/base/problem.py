"""Errors over HTTP as RFC 9457 problem details: ``{"type", "title", "status", "detail"}`` and extra members."""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

CONTENT_TYPE = "application/problem+json"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)

# Headers of an aiohttp error that describe the body it had, which is replaced.
_BODY_HEADERS = {hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH}


def problem(
    status: int,
    title: str | None = None,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **extra: object,
) -> web.Response:
    """An error answer.

    title: says the same for every occurrence; default: the status's own phrase.
    detail: one sentence about this occurrence, for the person who made the request. Never a secret.
    extra: further members, as JSON values.
    """
    members = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status}
    if detail is not None:
        members["detail"] = detail
    return web.Response(
        body=json.dumps(members | extra).encode(), status=status, headers=headers, content_type=CONTENT_TYPE
    )


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every error that a handler raises into a problem.

    An exception that is no HTTP answer is logged once with its traceback; the client learns no more than "500".
    """
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or error.content_type == CONTENT_TYPE:
            raise
        return _from_http_exception(error)
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        return problem(500, detail="unexpected error, see the server's log")


def _from_http_exception(error: web.HTTPException) -> web.Response:
    headers = {name: value for name, value in error.headers.items() if name not in _BODY_HEADERS}
    detail = error.text
    if isinstance(error, web.HTTPMethodNotAllowed):
        detail = f"allowed here: {', '.join(sorted(error.allowed_methods))}"
    elif detail == f"{error.status}: {error.reason}":
        detail = None  # aiohttp's own text, which says no more than the title
    return problem(error.status, error.reason, detail, headers=headers)
