"""The console's own files: style, script and icon. Each has its content's hash in its address, so it may be kept."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from aiohttp import hdrs, web

BASE = "/console"
"""Where the console begins; nothing else says so."""
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOREVER = {hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@cache
def _contents() -> Mapping[str, tuple[str, bytes]]:
    """Each file by its name: its hash, and what is in it."""
    found = (each for each in files("remediator.console").joinpath("static").iterdir())
    read = {each.name: each.read_bytes() for each in found if "." + each.name.rpartition(".")[2] in TYPES}
    return {name: (hashlib.sha256(body).hexdigest()[:16], body) for name, body in read.items()}


def address_of(name: str) -> str:
    """Where a file is served. Raises KeyError for one that there is not."""
    return f"{BASE}/static/{_contents()[name][0]}/{name}"


def is_there(request: web.Request) -> bool:
    """Whether a file is asked for as it is now."""
    held = _contents().get(request.match_info["name"])
    return held is not None and held[0] == request.match_info["hash"]


async def serve(request: web.Request) -> web.Response:
    """A file by its name and hash, which is there. Nobody needs to be logged in for it: the login page needs it."""
    name = request.match_info["name"]
    response = web.Response(
        body=_contents()[name][1],
        headers=_FOREVER,
        content_type=TYPES["." + name.rpartition(".")[2]],
        charset="utf-8",
    )
    response.enable_compression()
    return response
