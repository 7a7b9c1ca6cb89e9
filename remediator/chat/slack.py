"""Slack by Socket Mode (https://docs.slack.dev/apis/events-api/using-socket-mode): we connect, buttons come to us."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from remediator.chat.channel import Answer, ChatError, Question, Verdict
from remediator.chat.secret import SecretInFile
from remediator.config.chats import SlackChat
from remediator.peers.http import PeerClient, PeerError, is_loopback

SECONDS = 20.0
MAX_BYTES = 2_000_000
LEAST_SECONDS = 1.0
"""Between two connections, should each be closed at once."""
HEARTBEAT = 15.0
"""Seconds between two signs of life of ours on the connection; without an answer it is made anew."""
_VERDICTS: Mapping[str, Verdict] = {"upkeeper-approve": "approve", "upkeeper-deny": "deny"}
_LONGEST_BLOCK = 2900
"""Characters of a section, of which Slack takes 3000."""


class Slack:
    """One channel with one app. Its tokens are read from their files each time, and stand in no message of ours."""

    def __init__(self, settings: SlackChat) -> None:
        self._settings = settings
        self._http = PeerClient("Slack", settings.api.rstrip("/"), SECONDS, MAX_BYTES)
        self._app = SecretInFile("chats.slack.app_token_file", settings.app_token_file)
        self._bot = SecretInFile("chats.slack.bot_token_file", settings.bot_token_file)

    @property
    def name(self) -> str:
        return "slack"

    @property
    def recipients(self) -> Sequence[str]:
        return [self._settings.channel]

    async def post(self, recipient: str, question: Question) -> str:
        buttons: list[dict[str, Any]] = [
            _button("Approve", "upkeeper-approve", value=question.secret, style="primary"),
            _button("Deny", "upkeeper-deny", value=question.secret),
        ]
        if question.link is not None:
            buttons.append(_button("Show it whole", "upkeeper-show", url=question.link))
        blocks = [_text(question.text), {"type": "actions", "elements": buttons}]
        sent = await self._call(
            "chat.postMessage",
            self._bot,
            channel=recipient,
            text=_escaped(question.text),
            blocks=blocks,
            unfurl_links=False,  # what an address in a name leads to is not to be fetched, nor shown
            unfurl_media=False,
        )
        if not isinstance(sent.get("ts"), str):
            raise ChatError("Slack does not say which message it has made")
        return str(sent["ts"])

    async def show(self, recipient: str, ref: str, text: str) -> None:
        try:
            await self._call(
                "chat.update", self._bot, channel=recipient, ts=ref, text=_escaped(text), blocks=[_text(text)]
            )
        except _Refused as refused:
            if refused.word not in ("message_not_found", "cant_update_message"):
                raise
            # Somebody has deleted it: nothing is left to be shown.

    async def answers(self) -> AsyncGenerator[Answer | None]:
        from aiohttp import ClientError, ClientSession, ClientTimeout, WSMsgType

        while True:
            again = asyncio.get_running_loop().time() + LEAST_SECONDS
            opened = await self._call("apps.connections.open", self._app)
            url = str(opened.get("url", ""))
            trust = not is_loopback(url.replace("ws", "http", 1))
            try:
                async with (
                    ClientSession(timeout=ClientTimeout(SECONDS), trust_env=trust) as session,
                    session.ws_connect(url, heartbeat=HEARTBEAT, max_msg_size=MAX_BYTES) as socket,
                ):
                    async for message in socket:
                        if message.type != WSMsgType.TEXT:
                            break
                        envelope = _object(message.data)
                        if envelope.get("type") == "disconnect":
                            break  # it is refreshed from time to time
                        for answer in self._answers(envelope):
                            yield answer
                        # Only now: what was not dealt with comes again.
                        if isinstance(envelope.get("envelope_id"), str):
                            await socket.send_json({"envelope_id": envelope["envelope_id"]})
                        yield None
            except (ClientError, TimeoutError, ConnectionError, ValueError) as error:
                # Its text may have the address, which is a secret.
                raise ChatError(f"the connection to Slack failed: {type(error).__name__}") from None
            await asyncio.sleep(max(0.0, again - asyncio.get_running_loop().time()))

    def _answers(self, envelope: Mapping[str, Any]) -> Sequence[Answer]:
        """Of buttons of our messages; none for whatever else comes."""
        payload = envelope.get("payload")
        if envelope.get("type") != "interactive" or not isinstance(payload, dict):
            return ()
        found = []
        try:
            user, channel = str(payload["user"]["id"]), payload["channel"]["id"]
            if payload["type"] != "block_actions" or channel != self._settings.channel:
                return ()
            for action in payload["actions"]:
                verdict = _VERDICTS.get(action["action_id"])
                if verdict is not None:
                    who = self._settings.approvers.get(user)
                    found.append(
                        Answer(str(action["value"]), verdict, who, user, self._says(user), ref=_message(payload))
                    )
        except (KeyError, TypeError):
            return ()
        return found

    def _says(self, user: str) -> Callable[[str], Awaitable[None]]:
        async def say(text: str) -> None:
            await self._call(
                "chat.postEphemeral",
                self._bot,
                channel=self._settings.channel,
                user=user,
                text=_escaped(text),
                blocks=[_text(text)],
            )

        return say

    async def close(self) -> None:
        await self._http.__aexit__(None, None, None)

    async def _call(self, method: str, token: SecretInFile, **values: Any) -> Mapping[str, Any]:
        """The answer of a method. Raises ChatError."""
        headers = {"Authorization": f"Bearer {await token.read()}"}
        try:
            status, answer = await self._http.ask("POST", f"/api/{method}", headers=headers, json=values)
        except PeerError as error:
            raise ChatError(str(error)) from error
        if status == 429:
            raise ChatError(f"Slack takes no {method} now (429)", wait=30.0)
        if isinstance(answer, dict) and answer.get("ok") is True:
            return answer
        word = answer.get("error") if isinstance(answer, dict) else None
        raise _Refused(f"Slack refuses {method} ({status}): {word}", str(word))


class _Refused(ChatError):
    """Slack has answered with an error. word: its name."""

    def __init__(self, message: str, word: str) -> None:
        super().__init__(message)
        self.word = word


def _message(payload: Mapping[str, Any]) -> str | None:
    """The message that a button belongs to."""
    container = payload.get("container")
    ts = container.get("message_ts") if isinstance(container, dict) else None
    return ts if isinstance(ts, str) else None


def _text(text: str) -> Mapping[str, Any]:
    """As plain text: nothing in it is a mention, a link or an emphasis."""
    return {"type": "section", "text": {"type": "plain_text", "text": text[:_LONGEST_BLOCK], "emoji": False}}


def _escaped(text: str) -> str:
    """The same where Slack looks for mentions and links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _button(label: str, action: str, **more: str) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": label}, "action_id": action, **more}


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
