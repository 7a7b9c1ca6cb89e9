"""Stands in for Telegram's Bot API: messages with buttons, answers by long polling, and its errors. No Telegram."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "123:geheim"  # of no bot
CHAT = -1001


@dataclass
class Bot:
    """What the bot has written and been told. messages: by number, as they read now."""

    url: str = ""
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    said: list[tuple[str, str]] = field(default_factory=list)
    """What was answered to whom pressed a button."""
    refuses: dict[str, web.Response] = field(default_factory=dict)
    """Answers of methods that fail, by name; each once."""
    calls: list[str] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    first: int = 500
    """Number of the first update."""
    confirmed: int = 0
    """Updates below that are forgotten: whoever asks with an offset has seen what is before it."""
    _pressed: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def press(self, message: int, button: str, user: int, *, times: int = 1, chat: int = CHAT) -> None:
        """Somebody presses a button of a message as it reads now."""
        [data] = [each["callback_data"] for row in self.keyboard(message) for each in row if each["text"] == button]
        self.send(data, user, message, times=times, chat=chat)

    def send(self, data: str, user: int, message: int = 1, *, times: int = 1, chat: int = CHAT) -> None:
        self._pressed += 1
        query = {
            "id": f"q{self._pressed}", "from": {"id": user, "first_name": "<b>x"}, "data": data,
            "message": {"message_id": message, "chat": {"id": chat}},
        }  # fmt: skip
        for _ in range(times):
            self.updates.append({"update_id": self.first + len(self.updates), "callback_query": query})
        self._news.set()

    def keyboard(self, message: int) -> list[list[dict[str, str]]]:
        found: list[list[dict[str, str]]] = self.messages[message].get("reply_markup", {}).get("inline_keyboard", [])
        return found

    async def call(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            return failed(401, "Unauthorized")
        method, values = request.match_info["method"], await request.json()
        self.calls.append(method)
        refusal = self.refuses.pop(method, None)
        if refusal is not None:
            return refusal
        match method:
            case "sendMessage":
                assert values["chat_id"] == CHAT
                assert len(values["text"]) <= 4096
                number = len(self.messages) + 1
                self.messages[number] = values
                return done({"message_id": number, "chat": {"id": CHAT}})
            case "editMessageText":
                if self.messages[values["message_id"]] == values:
                    return failed(400, "Bad Request: message is not modified")
                self.messages[values["message_id"]] = values
                return done({"message_id": values["message_id"]})
            case "answerCallbackQuery":
                assert len(values["text"]) <= 200
                self.said.append((values["callback_query_id"], values["text"]))
                return done(True)
            case "getUpdates":
                offset = self.confirmed = max(values.get("offset", 0), self.confirmed)
                if not self._after(offset):
                    self._news.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), values["timeout"])
                return done(self._after(offset))
        return failed(404, "Not Found")

    def _after(self, offset: int) -> list[dict[str, Any]]:
        return [each for each in self.updates if each["update_id"] >= offset]


def done(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def failed(status: int, description: str, **parameters: object) -> web.Response:
    body = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    return web.json_response(body, status=status)


@asynccontextmanager
async def telegram() -> AsyncIterator[Bot]:
    bot = Bot()
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", bot.call)
    async with TestServer(app) as server:
        bot.url = str(server.make_url("")).rstrip("/")
        yield bot
