"""ntfy (https://docs.ntfy.sh/publish/, /subscribe/api/): buttons that write to a topic of ours, which we poll.

ntfy does not say who wrote something. So each approver is asked in a topic of his own with a secret of his own, and an
answer is his who knows it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from remediator.chat.channel import Answer, ChatError, Question, Verdict
from remediator.chat.secret import SecretInFile
from remediator.config.chats import NtfyChat
from remediator.peers.http import AnswerTooLong, PeerClient, PeerError

POLL_SECONDS = 10.0
"""What a visitor of the public server may ask for in the long run is one thing in 5 s."""
SECONDS = 20.0
MAX_BYTES = 2_000_000
TOO_MANY_SECONDS = 30.0
"""For which nothing is asked of a server that wants fewer requests."""
LONGEST_BYTES = 4000
"""Of 4096, which is what a server takes unless its config says otherwise."""
_LATE = 60.0
"""Seconds after which an answer was given while we were not there: it counts, and nobody waits to be told."""
_VERDICTS: Mapping[str, Verdict] = {"approve": "approve", "deny": "deny"}


class Ntfy:
    """clock: Unix seconds, as the server's messages have them."""

    def __init__(self, settings: NtfyChat, clock: Callable[[], float], poll_seconds: float = POLL_SECONDS) -> None:
        self._settings = settings
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._http = PeerClient("ntfy", settings.server.rstrip("/"), SECONDS, MAX_BYTES)
        path = settings.token_file
        self._token = None if path is None else SecretInFile("chats.ntfy.token_file", path)
        self._since = "all"

    @property
    def name(self) -> str:
        return "ntfy"

    @property
    def recipients(self) -> Sequence[str]:
        return list(self._settings.approvers)

    async def post(self, recipient: str, question: Question) -> str:
        answers = f"{self._http.url}/{self._settings.answers}"
        actions: list[dict[str, Any]] = [
            {"action": "http", "label": label, "url": answers, "method": "POST", "clear": True,
             "body": f"{verdict} {question.secret} {recipient}"}
            for label, verdict in (("Approve", "approve"), ("Deny", "deny"))
        ]  # fmt: skip
        if question.link is not None:
            actions.append({"action": "view", "label": "Show it whole", "url": question.link})
        # By this name newer servers put the outcome in its place; for others that is a second message.
        ref = f"upkeeper{question.secret}"
        await self._publish(recipient, question.text, sequence_id=ref, actions=actions, priority=4)
        return ref

    async def show(self, recipient: str, ref: str, text: str) -> None:
        await self._publish(recipient, text, sequence_id=ref)

    async def answers(self) -> AsyncGenerator[Answer | None]:
        while True:
            written, more = await self._written()
            for message in _messages(written):
                answer = self._answer(message)
                if answer is not None:
                    yield answer
                self._since = message["id"]  # only now: what was not dealt with comes again
            yield None
            if not more:
                await asyncio.sleep(self._poll_seconds)

    async def _written(self) -> tuple[bytes, bool]:
        """What has been written to the topic of the answers since the last look, and whether there is more. Everybody
        may write there: of very much the first part is read, and then what comes after it. Raises ChatError.
        """
        query = {"poll": "1", "since": self._since}
        try:
            return await self._ask("GET", f"/{self._settings.answers}/json", params=query), False
        except _TooMuch as much:
            whole, end, _ = much.begun.rpartition(b"\n")
            if not end or not _messages(whole):
                raise
            return whole, True

    def _answer(self, message: Mapping[str, Any]) -> Answer | None:
        """An answer to one of our messages; None for whatever else was written."""
        text, at = message.get("message"), message.get("time")
        parts = text.split(" ") if isinstance(text, str) else []
        if len(parts) != 3 or parts[0] not in _VERDICTS:
            return None
        verdict, secret, topic = parts
        late = not isinstance(at, int | float) or self._clock() - at > _LATE
        who, say = self._settings.approvers.get(topic), self._says(topic, late)
        return Answer(secret, _VERDICTS[verdict], who, topic[:64], say, recipient=topic)

    def _says(self, topic: str, late: bool) -> Callable[[str], Awaitable[None]]:
        async def say(text: str) -> None:
            if not late and topic in self._settings.approvers:
                await self._publish(topic, text)

        return say

    async def close(self) -> None:
        await self._http.__aexit__(None, None, None)

    async def _publish(self, topic: str, message: str, **more: Any) -> None:
        await self._ask("POST", "/", json={"topic": topic, "title": "Upkeeper", "message": _short(message), **more})

    async def _ask(self, method: str, path: str, **request: Any) -> bytes:
        """The body of the answer. Raises ChatError."""
        headers = {} if self._token is None else {"Authorization": f"Bearer {await self._token.read()}"}
        try:
            status, body = await self._http.fetch(method, path, headers=headers, **request)
        except AnswerTooLong as error:
            raise _TooMuch(str(error), error.begun) from error
        except PeerError as error:
            raise ChatError(str(error)) from error
        if status != 200:
            raise ChatError(f"ntfy answers {status}", wait=TOO_MANY_SECONDS if status == 429 else 0.0)
        return body


class _TooMuch(ChatError):
    """More than is read at once. begun: the first part of it."""

    def __init__(self, message: str, begun: bytes) -> None:
        super().__init__(message)
        self.begun = begun


def _short(text: str) -> str:
    """As much of it as one message takes: of a longer one a server makes a file, which nobody reads."""
    return text.encode()[:LONGEST_BYTES].decode(errors="ignore")


def _messages(body: bytes) -> Sequence[Mapping[str, Any]]:
    """One JSON object a line. Lines of other kinds are passed over."""
    found = []
    for line in body.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict) and message.get("event") == "message" and isinstance(message.get("id"), str):
            found.append(message)
    return found
