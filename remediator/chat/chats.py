"""Asks in chats for the approvals that wait, takes answers, and shows what came of each.

Each chat is by itself: one that fails holds up no other, no run, and nothing that is decided elsewhere.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Literal, Protocol

import structlog

from exporter.base.complaints import Complaints
from remediator.chat import words
from remediator.chat.channel import Answer, Channel, ChatError, Question
from remediator.chat.seldom import Seldom
from remediator.config.config import Config
from remediator.model.caller import ASKING, Caller
from remediator.model.errors import RequestError
from remediator.model.shapes.approvals import ApprovalDetail, ApprovalView
from remediator.store import chats
from remediator.store.chats import Behind, Wanted
from remediator.store.database import Database

log = structlog.get_logger(__name__)

LOOK_SECONDS = 2.0
"""Between two looks at what waits; only while a chat is configured."""
MOST = 20
"""Messages at one look: services slow down who writes more."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds after which what failed is tried again; twice as long each time."""


STOP_SECONDS = 5.0
"""For which a message that is being posted may hold up the end of a chat."""


class Approvals(Protocol):
    """What is asked of the rest."""

    async def approval(self, id: int) -> ApprovalDetail: ...

    async def decide_approval(
        self, id: int, verdict: Literal["approve", "deny"], plan_hash: str, reason: str = ""
    ) -> ApprovalView: ...


class Chats:
    """make: the channels that a config has; called again when it changes. clock: Unix seconds."""

    def __init__(
        self,
        database: Database,
        approvals: Callable[[], Approvals],
        config: Callable[[], Config],
        make: Callable[[Config], Sequence[Channel]],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._config = config
        self._make = make
        self._clock = clock
        self._seldom = Seldom(lambda: asyncio.get_running_loop().time())
        self._complaints = Complaints(log, "chat does not work", "chat works again", "chat", "part")

    async def run(self) -> None:
        """Ends by cancellation. A config that is put in force takes effect at the next look."""
        tasks: list[asyncio.Task[None]] = []
        known: object = None
        try:
            while True:
                config = self._config()
                wanted = (config.chats, config.console.url)
                if wanted != known:
                    await _end(tasks)
                    known = wanted
                    tasks = [
                        asyncio.create_task(self._again(channel, part, work))
                        for channel in self._make(config)
                        for part, work in (("questions", self._keep_asking), ("answers", self._hear))
                    ]
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await _end(tasks)

    async def _again(self, channel: Channel, part: str, work: Callable[[Channel], Awaitable[None]]) -> None:
        """Does something for good, and begins again when it fails."""
        wait = FIRST_WAIT
        now = asyncio.get_running_loop().time
        try:
            while True:
                start = now()
                try:
                    await work(channel)
                except ChatError as error:
                    self._complaints.note((channel.name, part), str(error))
                    wait = max(error.wait, wait)
                except Exception as error:  # whatever it is, the chat goes on, and so does all else
                    log.exception("chat failed", chat=channel.name)
                    self._complaints.note((channel.name, part), type(error).__name__)
                if now() - start > LONGEST_WAIT:
                    wait = FIRST_WAIT
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
        finally:
            await channel.close()

    async def _keep_asking(self, channel: Channel) -> None:
        while True:
            await self.look(channel)
            self._complaints.note((channel.name, "questions"), "")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, channel: Channel) -> None:
        """Posts what is to be asked, and changes messages about what is over. Raises ChatError."""
        here = {"host": self._database.host, "channel": channel.name, "limit": MOST}
        for one in await self._database.read(partial(chats.behind, **here)):  # type: ignore[arg-type]
            await self._show(channel, one)
        more = {"recipients": channel.recipients, "now": self._clock()}
        for each in await self._database.read(partial(chats.wanted, **here, **more)):  # type: ignore[arg-type]
            await self._ask(channel, each)

    async def _ask(self, channel: Channel, one: Wanted) -> None:
        asked = await self._approvals().approval(one.approval_id)
        if asked["state"] != "asked":
            return
        posting = asyncio.ensure_future(self._post(channel, one, words.question(asked)))
        try:
            await asyncio.shield(posting)
        except asyncio.CancelledError:  # what has been posted must be known, or its end is never shown
            await asyncio.wait([posting], timeout=STOP_SECONDS)
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)
            raise

    async def _post(self, channel: Channel, one: Wanted, text: str) -> None:
        secret = secrets.token_urlsafe(16)
        begin = partial(chats.begin, host=self._database.host, channel=channel.name, one=one, secret=_hash(secret))
        # Stored before it is posted: an answer may be quicker than we are.
        if not await self._database.write(partial(begin, now=self._clock())):
            return
        url = self._config().console.url
        link = None if url is None else f"{url}/console/approvals/{one.approval_id}"
        ref = await channel.post(one.recipient, Question(text, secret, link))
        await self._database.write(partial(chats.posted, secret=_hash(secret), ref=ref))
        log.info("asked in a chat", chat=channel.name, approval=one.approval_id)

    async def _show(self, channel: Channel, one: Behind) -> None:
        asked = await self._approvals().approval(one.approval_id)
        await channel.show(one.recipient, one.ref, words.outcome(asked, one.ended, one.reason))
        await self._database.write(partial(chats.show, id=one.id, now=one.now))

    async def _hear(self, channel: Channel) -> None:
        async with aclosing(channel.answers()) as answers:
            async for answer in answers:
                self._complaints.note((channel.name, "answers"), "")
                if answer is not None:
                    await self.take(channel, answer)

    async def take(self, channel: Channel, answer: Answer) -> None:
        """Decides what somebody answered, once, and tells him. Raises sqlalchemy.exc.SQLAlchemyError, and then the same
        answer is to be taken again.
        """
        said = await self._decided(channel, answer)
        if not said:
            return
        with suppress(ChatError):  # it is decided in any case, and the message will say so
            await answer.say(words.said(said))

    async def _decided(self, channel: Channel, answer: Answer) -> str:
        """What came of it, for who answered; empty where he need not be told."""
        if answer.who is None:
            if times := self._seldom.due((channel.name, "stranger")):
                log.warning("a stranger answered in a chat", chat=channel.name, user=answer.user, times=times)
            return "You may not approve here: the config does not name you. Nothing was done."
        find = partial(chats.named, host=self._database.host, channel=channel.name, secret=_hash(answer.secret))
        found = await self._database.read(find)
        if found is None or answer.recipient not in (None, found.recipient):
            times = self._seldom.due((channel.name, answer.recipient))
            if times:
                log.info("an answer to nothing that waits", chat=channel.name, by=answer.who, times=times)
            # Where the secret alone tells who it is, anybody can have written this in his name.
            told = answer.recipient is None or times
            return "Nothing waits for this answer any more. Nothing was done." if told else ""
        if answer.ref is not None:
            # What ended while it posted knows of the message by the answer to it.
            await self._database.write(partial(chats.posted, secret=_hash(answer.secret), ref=answer.ref))
        asking = ASKING.set(Caller("chat", answer.who))
        try:
            given = await self._approvals().decide_approval(
                found.approval_id, answer.verdict, found.plan_hash, f"in {channel.name}"
            )
        except RequestError as error:
            return f"Not done: {error}"
        finally:
            ASKING.reset(asking)
        return f"{given['task']} on {given['target']}: {given['state']}."


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
