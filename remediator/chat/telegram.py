"""Telegram, by its Bot API (https://core.telegram.org/bots/api): buttons below a message, answers by long polling."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from remediator.chat.channel import Answer, ChatError, Question, Verdict
from remediator.chat.plain import as_it_is
from remediator.chat.secret import SecretInFile
from remediator.config.chats import TelegramChat
from remediator.peers.http import PeerClient, PeerError

LEAST_SECONDS = 1.0
"""Between two polls, should one be answered at once and with nothing."""
LONGEST_WAIT = 3600.0
"""For which it is left alone at most, however long it wants to be."""
POLL_SECONDS = 50
"""For which a request for answers waits at Telegram."""
SECONDS = 20.0
MAX_BYTES = 2_000_000
_LONGEST_SAID = 200
_VERDICTS: Mapping[str, Verdict] = {"a": "approve", "d": "deny"}


class Telegram:
    """One chat with one bot. Its token is read from the file at each connection, and stands in no message of ours."""

    def __init__(self, settings: TelegramChat, poll_seconds: int = POLL_SECONDS) -> None:
        self._settings = settings
        self._poll_seconds = poll_seconds
        self._token = SecretInFile("chats.telegram.bot_token_file", settings.bot_token_file)
        url = settings.api.rstrip("/")
        self._sends = PeerClient("Telegram", url, SECONDS, MAX_BYTES)
        self._polls = PeerClient("Telegram", url, poll_seconds + SECONDS, MAX_BYTES)
        self._offset: int | None = None

    @property
    def name(self) -> str:
        return "telegram"

    @property
    def recipients(self) -> Sequence[str]:
        return [str(self._settings.chat_id)]

    async def post(self, recipient: str, question: Question) -> str:
        buttons: list[list[dict[str, str]]] = [
            [
                {"text": "Approve", "callback_data": f"a:{question.secret}"},
                {"text": "Deny", "callback_data": f"d:{question.secret}"},
            ]
        ]
        if question.link is not None:
            buttons.append([{"text": "Show it whole", "url": question.link}])
        sent = await self._call(
            "sendMessage",
            chat_id=int(recipient),
            **as_it_is(question.text),
            reply_markup={"inline_keyboard": buttons},
        )
        try:
            return str(int(sent["message_id"]))
        except (KeyError, TypeError, ValueError):
            raise ChatError("Telegram does not say which message it has made") from None

    async def show(self, recipient: str, ref: str, text: str) -> None:
        try:
            await self._call(
                "editMessageText",
                chat_id=int(recipient),
                message_id=int(ref),
                **as_it_is(text),
            )
        except _Refused as refused:
            if refused.code != 400:
                raise
            # It says so already, or somebody has deleted it: either way nothing is left to be shown.

    async def answers(self) -> AsyncGenerator[Answer | None]:
        while True:
            more = {} if self._offset is None else {"offset": self._offset}
            again = asyncio.get_running_loop().time() + min(LEAST_SECONDS, self._poll_seconds)
            updates = await self._call(
                "getUpdates", timeout=self._poll_seconds, allowed_updates=["callback_query"], **more
            )
            yield None
            before = self._offset
            for update in updates if isinstance(updates, list) else ():
                answer = self._answer(update)
                if answer is not None:
                    yield answer
                # Only now: what was not dealt with comes again.
                number = update.get("update_id") if isinstance(update, dict) else None
                if isinstance(number, int):
                    self._offset = number + 1
            if not updates:
                # What came is confirmed by that. After a week without any, numbers begin anew, and may be lower ones,
                # which an offset from before would confirm unseen.
                self._offset = None
            if not updates or self._offset == before:
                await asyncio.sleep(max(0.0, again - asyncio.get_running_loop().time()))

    def _answer(self, update: Any) -> Answer | None:
        """An answer to one of our messages; None for whatever else was sent."""
        try:
            query = update["callback_query"]
            kind, _, secret = query["data"].partition(":")
            verdict = _VERDICTS[kind]
            user, id = query["from"]["id"], str(query["id"])
            if type(user) is not int or query["message"]["chat"]["id"] != self._settings.chat_id:
                return None
            ref = str(int(query["message"]["message_id"]))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            return None

        async def say(text: str) -> None:
            await self._call("answerCallbackQuery", callback_query_id=id, text=text[:_LONGEST_SAID], show_alert=True)

        return Answer(secret, verdict, self._settings.approvers.get(user), str(user), say, ref=ref)

    async def close(self) -> None:
        for client in (self._sends, self._polls):
            await client.__aexit__(None, None, None)

    async def _call(self, method: str, **values: Any) -> Any:
        """The result of a method. Raises ChatError."""
        token = await self._token.read()
        client = self._polls if method == "getUpdates" else self._sends
        try:
            status, answer = await client.ask("POST", f"/bot{token}/{method}", json=values)
        except PeerError as error:
            raise ChatError(str(error)) from None  # its cause has the token in an address
        if isinstance(answer, dict) and answer.get("ok") is True:
            return answer.get("result")
        said = answer if isinstance(answer, dict) else {}
        parameters = said.get("parameters")
        wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
        description = str(said.get("description", "")).replace(token, "...")[:200]
        raise _Refused(f"Telegram refuses {method} ({status}): {description}", status, wait)


class _Refused(ChatError):
    """Telegram has answered with an error."""

    def __init__(self, message: str, code: int, wait: object) -> None:
        super().__init__(message, float(min(wait, LONGEST_WAIT)) if isinstance(wait, int | float) and wait > 0 else 0.0)
        self.code = code
