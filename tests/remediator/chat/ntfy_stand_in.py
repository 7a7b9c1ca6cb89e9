"""Stands in for an ntfy server: publishing as JSON and by POST to a topic, polling with ``since``. No ntfy."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

TOKEN = "tk_geheim"  # of no account


@dataclass
class Ntfy:
    """published: what came as JSON, in order. topics: the messages of each."""

    url: str = ""
    published: list[dict[str, Any]] = field(default_factory=list)
    topics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fails: list[int] = field(default_factory=list)
    """Statuses of the next answers."""
    polls: int = 0

    async def press(self, message: int, label: str, times: int = 1) -> None:
        """What the app does when a button of a message is pressed."""
        [action] = [each for each in self.published[message - 1]["actions"] if each["label"] == label]
        async with ClientSession() as session:
            for _ in range(times):
                async with session.request(action["method"], action["url"], data=action["body"]) as answer:
                    assert answer.status == 200

    def add(self, topic: str, text: str, at: float | None = None) -> None:
        messages = self.topics.setdefault(topic, [])
        number = f"m{sum(map(len, self.topics.values()))}"
        messages.append({"id": number, "time": at or time.time(), "event": "message", "topic": topic, "message": text})

    def texts(self) -> dict[int, str]:
        """As an app shows them: what has the same sequence id is in the place of the one before."""
        found: dict[str, str] = {}
        for number, each in enumerate(self.published):
            found[each.get("sequence_id", str(number))] = each["message"]
        return dict(enumerate(found.values(), 1))

    async def publish(self, request: web.Request) -> web.Response:
        if self.fails:
            return web.Response(status=self.fails.pop(0))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        message = await request.json()
        assert len(message.get("actions", [])) <= 3
        self.published.append(message)
        self.add(message["topic"], message["message"])
        return web.json_response({"id": "x"})

    async def write(self, request: web.Request) -> web.Response:
        self.add(request.match_info["topic"], await request.text())
        return web.json_response({"id": "x"})

    async def poll(self, request: web.Request) -> web.Response:
        if self.fails:
            return web.Response(status=self.fails.pop(0))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        assert request.query["poll"] == "1"
        self.polls += 1
        messages = self.topics.get(request.match_info["topic"], [])
        ids = [each["id"] for each in messages]
        since = request.query["since"]
        if since.isdecimal():
            lines = [each for each in messages if each["time"] >= int(since)]
        else:  # as the server does, also for one that it no longer knows
            lines = messages[ids.index(since) + 1 :] if since in ids else messages
        return web.Response(text="".join(json.dumps(each) + "\n" for each in lines))


@asynccontextmanager
async def ntfy() -> AsyncIterator[Ntfy]:
    made = Ntfy()
    app = web.Application()
    app.router.add_post("/", made.publish)
    app.router.add_post("/{topic}", made.write)
    app.router.add_get("/{topic}/json", made.poll)
    async with TestServer(app) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made
