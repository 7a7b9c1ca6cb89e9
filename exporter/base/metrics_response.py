"""The answer to a scrape: the format and the compression that were asked for."""

from collections.abc import Callable

from aiohttp import hdrs, web

from exporter.exposition import Format, accepts_gzip, choose_format


def metrics_answer(request: web.Request, body: Callable[[Format, bool], bytes]) -> web.Response:
    """body: makes the exposition in a format; compressed with gzip if the second argument is true."""
    form = choose_format(_header(request, hdrs.ACCEPT))
    gzip = accepts_gzip(_header(request, hdrs.ACCEPT_ENCODING))
    headers = {hdrs.CONTENT_TYPE: form.value, hdrs.VARY: "Accept, Accept-Encoding"}
    if gzip:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=body(form, gzip), headers=headers)


def _header(request: web.Request, name: str) -> str:
    """A list header, which may be sent in several lines."""
    return ", ".join(request.headers.getall(name, []))
