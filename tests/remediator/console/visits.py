"""A browser without script, as tests have one: follows links, keeps cookies, fills in forms."""

import re
from dataclasses import dataclass
from html import unescape

from aiohttp import web
from aiohttp.test_utils import TestClient

from remediator.console.static import BASE
from remediator.statedir import read_token
from tests.remediator.stack import Stack

Client = TestClient[web.Request, web.Application]


@dataclass
class Shown:
    """A page as it came."""

    status: int
    path: str
    html: str

    @property
    def text(self) -> str:
        """What a person reads."""
        without = re.sub(r"<(script|style)\b.*?</\1>", " ", self.html, flags=re.DOTALL)
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", without)))

    def field(self, name: str) -> str:
        """The value of the first hidden field of that name."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.html)
        assert found, f"no field {name} on {self.path}"
        return unescape(found[1])

    def links(self) -> list[str]:
        return [unescape(link) for link in re.findall(r'href="([^"]*)"', self.html)]


@dataclass
class Browser:
    client: Client

    async def open(self, path: str, **headers: str) -> Shown:
        async with self.client.get(BASE + path, headers=headers) as answer:
            return Shown(answer.status, answer.url.path, await answer.text())

    async def send(self, path: str, **fields: str) -> Shown:
        async with self.client.post(BASE + path, data=fields) as answer:
            return Shown(answer.status, answer.url.path, await answer.text())

    async def log_in(self, token: str) -> Shown:
        return await self.send("/login", token=token)


async def token_of(stack: Stack, role: str) -> str:
    if role == "operator":
        return read_token(stack.core.state.operator_token)
    return (await stack.core.access.create_token(f"{role}-1", role, None))["token"]  # type: ignore[arg-type]
