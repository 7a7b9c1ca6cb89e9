"""A reverse proxy that serves what is behind it below a path: it takes the path away and passes ``Host`` on. aiohttp's,
for the tests that run always; the same tests run with nginx where it is installed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import TestServer

PREFIX = "/up"
USER_HEADER = "Remote-User"
_OWN = ("transfer-encoding", "content-encoding", "content-length", "connection", "keep-alive")


@asynccontextmanager
async def aiohttp_proxy(behind: str, user: str | None) -> AsyncIterator[str]:
    """Where it is reached, with the prefix. behind: the URL of what it serves. user: whom it names in its header."""

    async def passed_on(request: web.Request) -> web.StreamResponse:
        headers = request.headers.copy()
        headers.popall(USER_HEADER, None)
        if user is not None:
            headers[USER_HEADER] = user
        url = behind + request.raw_path.removeprefix(PREFIX)
        async with session.request(
            request.method, url, headers=headers, data=await request.read(), allow_redirects=False
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _OWN:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    app = web.Application()
    app.router.add_route("*", PREFIX + "/{path:.*}", passed_on)
    async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=True) as session, TestServer(app) as server:
        yield f"{str(server.make_url('')).rstrip('/')}{PREFIX}"


@asynccontextmanager
async def nginx_proxy(program: str, behind: str, user: str | None, folder: Path, port: int) -> AsyncIterator[str]:
    """The same with a real nginx, with the lines of docs/how-to/console.md."""
    (folder / "nginx.conf").write_text(f"""\
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location {PREFIX}/ {{
            proxy_pass {behind}/;
            proxy_set_header Host $http_host;
            proxy_set_header {USER_HEADER} "{user or ""}";
            proxy_buffering off;
        }}
    }}
}}
""")
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, "-e", "stderr", "-c", str(folder / "nginx.conf"), "-p", str(folder), stderr=log
        )
    try:
        yield f"http://127.0.0.1:{port}{PREFIX}"
    finally:
        process.terminate()
        await process.wait()
