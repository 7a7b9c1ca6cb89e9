"""What every answer says to a browser, errors and redirects too: nobody may frame it, guess its type or fetch by it."""

from aiohttp import hdrs, web

_ALWAYS = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"}
_POLICY = "default-src 'none'; frame-ancestors 'none'"


async def for_browsers(request: web.Request, response: web.StreamResponse) -> None:
    """Added where an answer does not say otherwise; for an application's ``on_response_prepare``."""
    headers = response.headers
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", _POLICY)
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")  # whatever is not said to be for all to keep
