"""The ways by which people are told: those of ``notify:``, through which Alertmanager tells them of alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, Protocol

from remediator.chat.channel import ChatError
from remediator.chat.plain import as_it_is
from remediator.chat.secret import SecretInFile
from remediator.config.notify import Email, Notify, Ntfy, Slack, Telegram
from remediator.peers.http import PeerClient, PeerError
from remediator.reporting.deliver import NotDelivered, post, send_mail
from remediator.telling import html
from remediator.telling.fitted import fitted
from remediator.telling.words import Message, text

SECONDS = 20.0
MAX_BYTES = 1_000_000
LONGEST = 4000
"""Characters: of Telegram's 4096, and all that Slack shows of an escaped text. Bytes of ntfy's 4096: of more than that
a server makes a file, which nobody reads.
"""
_GOOD, _ELSE = "good", "warning"
_NTFY_GOOD, _NTFY_ELSE = 3, 4
"""Priorities: as any message, and with a sound of its own."""


class Way(Protocol):
    """One of them."""

    @property
    def name(self) -> str:
        """Its key below ``notify:``."""

    async def tell(self, message: Message, id: str) -> None:
        """Sends it. id: the same for the same message. Raises NotDelivered."""


def ways(notify: Notify) -> Sequence[Way]:
    """Those that are to hear of what became of alerts."""
    found: list[Way] = []
    if notify.email is not None and notify.email.outcomes:
        found.append(ByMail(notify.email))
    if notify.slack is not None and notify.slack.outcomes:
        found.append(BySlack(notify.slack))
    if notify.telegram is not None and notify.telegram.outcomes:
        found.append(ByTelegram(notify.telegram))
    if notify.ntfy is not None and notify.ntfy.outcomes:
        found.append(ByNtfy(notify.ntfy))
    return found


class ByMail:
    def __init__(self, email: Email) -> None:
        self._email = email

    @property
    def name(self) -> str:
        return "email"

    async def tell(self, message: Message, id: str) -> None:
        await send_mail(mail(message, self._email, id), self._email)


def mail(message: Message, email: Email, id: str, date: float | None = None) -> EmailMessage:
    """Text, and the same as HTML. Pure, where the date is given (Unix seconds)."""
    # Long subjects stay on one line: folded, programs show them with a blank before, and sort them elsewhere.
    made = EmailMessage(policy.default.clone(max_line_length=900))
    made["Subject"] = message.subject
    made["From"] = " ".join(email.sender.split())
    made["To"] = " ".join(email.to.split())
    made["Date"] = formatdate(date)
    made["Message-ID"] = f"<{id}@upkeeper.invalid>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text(message))
    made.add_alternative(html.render(message), subtype="html")
    return made


class BySlack:
    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    @property
    def name(self) -> str:
        return "slack"

    async def tell(self, message: Message, id: str) -> None:
        await post(in_slack(message, self._slack.channel), self._slack)


def in_slack(message: Message, channel: str) -> dict[str, object]:
    """For the incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. Pure."""

    def body(one: Message) -> str:
        return _escaped(text(one)).replace("`", "'")

    attachment = {
        "color": _GOOD if message.good else _ELSE,
        "title": _escaped(message.subject),
        "fallback": _escaped(message.subject),
        "text": body(fitted(message, lambda one: len(body(one)), LONGEST)),
        "mrkdwn_in": [],  # nothing in it is markup
    }
    return {"channel": channel, "attachments": [attachment], "unfurl_links": False}


def _escaped(plain: str) -> str:
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def in_telegram(message: Message) -> Mapping[str, Any]:
    """Nothing in it is a mention or a command, and of its addresses only ours are links. Pure."""

    def parts(one: Message) -> tuple[str, str]:
        links = "".join(f"\n{name}: {link}" for name, link in one.links)
        return f"{one.subject}\n\n{text(replace(one, links=()))}".rstrip(), f"\n{links}" if links else ""

    def length(one: Message) -> int:
        """In units of UTF-16, the most that anybody counts."""
        return len("".join(parts(one)).encode("utf-16-le", "surrogatepass")) // 2

    return as_it_is(*parts(fitted(message, length, LONGEST)))


class ByTelegram:
    def __init__(self, telegram: Telegram) -> None:
        self._chat_id = telegram.chat_id
        self._api = telegram.api.rstrip("/")
        self._token = SecretInFile("notify.telegram.bot_token_file", telegram.bot_token_file)

    @property
    def name(self) -> str:
        return "telegram"

    async def tell(self, message: Message, id: str) -> None:
        values: dict[str, Any] = {"chat_id": self._chat_id, **in_telegram(message)}
        try:
            token = await self._token.read()
            async with PeerClient("Telegram", self._api, SECONDS, MAX_BYTES) as client:
                status, answer = await client.ask("POST", f"/bot{token}/sendMessage", json=values)
        except ChatError as error:
            raise NotDelivered(str(error)) from None
        except PeerError as error:
            raise NotDelivered(str(error).replace(token, "...")) from None  # its cause has the token in an address
        if not isinstance(answer, dict) or answer.get("ok") is not True:
            raise NotDelivered(f"Telegram answers {status}")


def in_ntfy(message: Message, topic: str, id: str) -> dict[str, Any]:
    """For publishing as JSON: https://docs.ntfy.sh/publish/#publish-as-json. It is no Markdown, what is tapped is ours
    alone, and by the id newer servers know a second copy. Pure.
    """

    def length(one: Message) -> int:
        return len(text(one).encode(errors="replace"))

    shown = fitted(message, length, LONGEST)
    made: dict[str, Any] = {
        "topic": topic,
        "title": message.subject,
        "message": text(shown).encode(errors="replace")[:LONGEST].decode(errors="ignore").rstrip(),
        "priority": _NTFY_GOOD if message.good else _NTFY_ELSE,
        "sequence_id": id,
    }
    first = next((link for _, link in message.links if link.startswith(("https://", "http://"))), None)
    return made if first is None else made | {"click": first}


class ByNtfy:
    def __init__(self, ntfy: Ntfy) -> None:
        self._topic = ntfy.topic
        self._server = ntfy.server.rstrip("/")
        path = ntfy.token_file
        self._token = None if path is None else SecretInFile("notify.ntfy.token_file", path)

    @property
    def name(self) -> str:
        return "ntfy"

    async def tell(self, message: Message, id: str) -> None:
        try:
            headers = {} if self._token is None else {"Authorization": f"Bearer {await self._token.read()}"}
            async with PeerClient("ntfy", self._server, SECONDS, MAX_BYTES) as client:
                made = in_ntfy(message, self._topic, id)
                status, _ = await client.fetch("POST", "/", headers=headers, json=made)
        except (ChatError, PeerError) as error:
            raise NotDelivered(str(error)) from None
        if status != 200:
            raise NotDelivered(f"ntfy answers {status}")
