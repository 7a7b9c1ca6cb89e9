"""A remediator that asks in chats, whose looks are quick."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

import pytest

from remediator.chat import chats
from remediator.chat.channel import Channel
from remediator.chat.chats import Chats
from remediator.config.config import Config
from remediator.model.shapes.runs import RunView
from tests.helpers import wait_until
from tests.remediator.console.test_forms import asked
from tests.remediator.stack import Stack, settings


@dataclass
class Scene:
    """texts: the messages by number, from 1, as they read now."""

    stack: Stack
    config: Config
    chats: Chats
    texts: Callable[[], dict[int, str]]
    _running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._running = asyncio.create_task(self.chats.run())

    async def end(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def asks(self, count: int = 1) -> None:
        """A plan that waits, until it is in the chat."""
        await asked(self.stack)
        await wait_until(lambda: len(self.texts()) == count, what="the question in the chat")

    async def says(self, message: int, *parts: str) -> str:
        """The message, once it reads so."""

        def there() -> bool:
            return all(part in self.texts().get(message, "") for part in parts)

        await wait_until(there, what=f"the message to say {parts}")
        return self.texts()[message]

    async def state(self) -> str:
        return (await self.stack.core.approval(1))["state"]

    async def ended(self) -> RunView:
        [run] = await self.stack.finished(1)
        return run


@asynccontextmanager
async def a_scene(
    stack: Stack,
    patch: pytest.MonkeyPatch,
    section: Mapping[str, object],
    make: Callable[[Config], list[Channel]],
    texts: Callable[[], dict[int, str]],
    more: Mapping[str, object] = MappingProxyType({}),
) -> AsyncIterator[Scene]:
    """section: ``chats`` of the config; more: what else stands in it. make: its channels, with short waits."""
    patch.setattr(chats, "LOOK_SECONDS", 0.2)  # each costs two reads of the database
    patch.setattr(chats, "FIRST_WAIT", 0.05)
    document = {"remediator": {"ballast": 0}, "chats": section, "console": {"url": "https://ops.example.org/up"}}
    document |= more
    config = Config.model_validate(document)
    stack.remedies[0] = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    stack.core.apply_settings(settings(stack.task, stack.remedies, config))
    asks = Chats(stack.core._database, lambda: stack.core.approving, lambda: stack.core.config, make, stack.clock)
    scene = Scene(stack, config, asks, texts)
    scene.begin()
    yield scene
    await scene.end()
