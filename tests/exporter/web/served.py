"""An application behind a web config, in this process, and clients of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from aiohttp import web

from exporter.base.problem import problem_middleware
from exporter.base.server import serving
from exporter.web.front import Front
from tests.ports import free_port

TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key%s}\n"


@dataclass
class Served:
    """What listens: the front, which tests ask to look at its files, and the directory of these."""

    front: Front
    directory: Path
    port: int

    @property
    def url(self) -> str:
        return f"{'https' if self.front.tls else 'http'}://localhost:{self.port}"

    def write(self, text: str) -> None:
        """Replaces the web config."""
        (self.directory / "web.yml").write_text(text)

    def copy(self, source: str, target: str) -> None:
        """Replaces one file of the directory by the content of another, as an ACME client does."""
        content = (self.directory / source).read_bytes()
        draft = self.directory / f".{target}"
        draft.write_bytes(content)
        draft.replace(self.directory / target)

    def values(self) -> dict[str, float]:
        """Of the front's families, by name without upkeeper_web_ and the first label's value."""
        return {
            "/".join([sample.name.removeprefix("upkeeper_web_"), *sample.labels.values()]): float(sample.value)
            for family in self.front.families()
            for sample in family.samples
        }

    def client(self, certificate: str | None = None, **options: object) -> httpx.AsyncClient:
        """A client that trusts the CA and shows a certificate of the directory, if one is named."""
        verify = client_context(self.directory, certificate) if self.front.tls else False
        return httpx.AsyncClient(base_url=self.url, verify=verify, trust_env=False, timeout=30, **options)  # type: ignore[arg-type]

    async def get(self, path: str = "/", certificate: str | None = None, **options: object) -> httpx.Response:
        """The answer on a connection of its own."""
        async with self.client(certificate, **options) as client:
            return await client.get(path)


def client_context(directory: Path, certificate: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    if certificate is not None:
        context.load_cert_chain(directory / f"{certificate}.pem", directory / f"{certificate}.key")
    return context


@asynccontextmanager
async def served(
    directory: Path, config: str, own_credential: Callable[[web.Request], bool] = lambda _: False
) -> AsyncIterator[Served]:
    """An application behind a web config in a directory that holds certificates. The event loop must see no error."""
    errors: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    (directory / "web.yml").write_text(config)
    front, port = Front(directory / "web.yml", own_credential), free_port()
    app = web.Application(middlewares=[problem_middleware])

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def failing(_: web.Request) -> web.Response:
        raise RuntimeError("a bug")

    app.router.add_get("/", hello)
    app.router.add_get("/failing", failing)
    async with serving(app, f"127.0.0.1:{port}", front):
        yield Served(front, directory, port)
    assert not errors
