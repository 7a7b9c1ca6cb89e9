"""Stands in for Slack: the few methods of its Web API, and a connection in Socket Mode. No Slack."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

APP, BOT = "xapp-geheim", "xoxb-geheim"
CHANNEL = "C0000000001"


@dataclass
class Slack:
    """messages: by their ts, as they read now."""

    url: str = ""
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    said: list[tuple[str, str]] = field(default_factory=list)
    fails: dict[str, str] = field(default_factory=dict)
    """Errors of methods, by name; each once."""
    opened: int = 0
    acknowledged: list[str] = field(default_factory=list)
    forgetful: bool = False
    """It hears no acknowledgement, and closes the connection."""
    _waiting: list[dict[str, Any]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _count: int = 0

    def texts(self) -> dict[int, str]:
        return {number: each["blocks"][0]["text"]["text"] for number, each in enumerate(self.messages.values(), 1)}

    def buttons(self, message: int) -> list[dict[str, Any]]:
        blocks = list(self.messages.values())[message - 1]["blocks"]
        return [each for block in blocks if block["type"] == "actions" for each in block["elements"]]

    def press(self, message: int, label: str, user: str, channel: str = CHANNEL) -> None:
        [button] = [each for each in self.buttons(message) if each["text"]["text"] == label]
        self.send({
            "type": "block_actions", "user": {"id": user}, "channel": {"id": channel},
            "container": {"type": "message", "message_ts": list(self.messages)[message - 1]},
            "actions": [{"action_id": button["action_id"], "value": button["value"]}],
        })  # fmt: skip

    def send(self, payload: dict[str, Any], kind: str = "interactive") -> None:
        self._count += 1
        self._waiting.append({"type": kind, "envelope_id": f"e{self._count}", "payload": payload})
        self._news.set()

    async def call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        token = APP if method == "apps.connections.open" else BOT
        if request.headers.get("Authorization") != f"Bearer {token}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if method in self.fails:
            return web.json_response({"ok": False, "error": self.fails.pop(method)})
        values = await request.json()
        if method == "apps.connections.open":
            self.opened += 1
            return web.json_response({"ok": True, "url": f"{self.url.replace('http', 'ws', 1)}/link?ticket=geheim"})
        if method == "chat.postMessage":
            ts = f"17.{len(self.messages)}"
            self.messages[ts] = values
            return web.json_response({"ok": True, "ts": ts})
        if method == "chat.update":
            self.messages[values["ts"]] = values
            return web.json_response({"ok": True})
        if method == "chat.postEphemeral":
            self.said.append((values["user"], values["text"]))
            return web.json_response({"ok": True})
        return web.json_response({"ok": False, "error": "unknown_method"})

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello"})
        while True:
            while self._waiting:
                envelope = self._waiting[0]
                await socket.send_json(envelope)
                message = await socket.receive()
                if message.type != WSMsgType.TEXT:
                    return socket
                if self.forgetful:
                    self.forgetful = False
                    await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})
                    await socket.close()
                    return socket
                assert json.loads(message.data) == {"envelope_id": envelope["envelope_id"]}
                self.acknowledged.append(envelope["envelope_id"])
                self._waiting.pop(0)
            self._news.clear()
            ended, heard = asyncio.ensure_future(socket.receive()), asyncio.ensure_future(self._news.wait())
            await asyncio.wait((ended, heard), return_when=asyncio.FIRST_COMPLETED)
            heard.cancel()
            if ended.done():
                return socket
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)


@asynccontextmanager
async def slack() -> AsyncIterator[Slack]:
    made = Slack()
    app = web.Application()
    app.router.add_post("/api/{method}", made.call)
    app.router.add_get("/link", made.connect)
    async with TestServer(app) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made
