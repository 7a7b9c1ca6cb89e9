"""Where people are asked to approve plans, beside the console and the command: in chats that we call, never one that
must call us.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from exporter.base.listen import is_loopback_host
from exporter.configfile.named_files import SecretFile
from exporter.configfile.section import Contradiction, Section, shown
from remediator.config.urls import HttpUrl

_MOST = 2**52
"""Telegram's numbers have at most 52 significant bits."""


def _no_word(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"{shown(value)} must be a number, {_WHERE}")
    return value


_WHERE = "as the bot's getUpdates shows it"


def _number(value: int) -> int:
    if not 0 < abs(value) < _MOST:
        raise ValueError(f"{shown(value)} must be a number that Telegram gives, {_WHERE}")
    return value


def _account(value: int) -> int:
    if value < 0:
        raise ValueError(
            f"{value} is the number of a group: approvers are accounts of people, whose numbers are above 0"
        )
    return value


def _said_twice(approvers: object, same: Callable[[object], object]) -> Iterator[Contradiction]:
    """Approvers whom the service does not tell from one before, though the file writes them otherwise."""
    seen: dict[object, object] = {}
    for one in approvers if isinstance(approvers, Mapping) else ():
        what = same(one)
        if what in seen and seen[what] != one:
            yield Contradiction(("approvers", one), f"is the same as {shown(seen[what])}; name each once")
        seen.setdefault(what, one)


def without_tls(
    key: str, given: Mapping[str, Any], word: str = "", could: str = "read the token and approve in another's name"
) -> Iterator[Contradiction]:
    """A server to which all would go in the clear. word: what else there is to say. could: what others could do."""
    url = given.get(key)
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = parts.hostname or ""
    except ValueError:
        return  # it is no address, as is said of it in any case
    if parts.scheme == "http" and not is_loopback_host(host) and given.get("plain_http") is not True:
        yield Contradiction((key,), f"must begin with https: whoever is on the way could {could}{word}")


UNLESS = "; where nobody else is, as in a network of containers, say `plain_http: true` beside it"
PLAIN_HTTP = "takes a server beyond this machine without TLS: only where nobody else is on the way to it"


def _name(text: str) -> str:
    if not text.isprintable() or not text.strip() or len(text) > 100:
        raise ValueError(f"{shown(text)} must be a name on one line, of 100 characters at most")
    return text


def _topic(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ValueError(f"{shown(text)} must be a topic: letters, digits, _ and -, 64 at most")
    return text


def _slack_id(text: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9]{5,30}", text):
        raise ValueError(f"{shown(text)} must be an id of Slack, as in C0123456789: names can be given to others")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+", text) or len(text) > 200:
        raise ValueError(f"{shown(text)} must be an address, as in anna@example.org")
    return text


Address = Annotated[str, AfterValidator(_address)]
Topic = Annotated[str, AfterValidator(_topic)]
SlackId = Annotated[str, AfterValidator(_slack_id)]
Name = Annotated[str, AfterValidator(_name)]
Number = Annotated[int, BeforeValidator(_no_word), AfterValidator(_number)]
Account = Annotated[Number, AfterValidator(_account)]


class TelegramChat(Section):
    """A chat in Telegram, with a bot that is asked for answers: nothing has to reach this machine."""

    bot_token_file: SecretFile = Field(description="file that holds the bot's token, as BotFather gives it")
    chat_id: Number = Field(description="number of the chat; that of a group is negative")
    approvers: dict[Account, Name] = Field(
        min_length=1,
        description="who may approve: the number of each one's account in Telegram, and the name for the record",
    )
    api: HttpUrl = Field(default="https://api.telegram.org", description="the Bot API, or a server of your own for it")
    plain_http: bool = Field(default=False, description=PLAIN_HTTP)

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from without_tls("api", given, UNLESS)
        approvers, chat = given.get("approvers"), given.get("chat_id")
        yield from _said_twice(approvers, lambda one: str(one).strip().lstrip("+0"))
        accounts = {str(one).strip() for one in approvers} if isinstance(approvers, Mapping) else set()
        if accounts and type(chat) is int and chat > 0 and str(chat) not in accounts:
            why = f"must name {chat}: nobody else is in that chat, as the number of a group is below 0"
            yield Contradiction(("approvers",), why)


class NtfyChat(Section):
    """Topics of an ntfy server: each approver is asked in one of his own, and answers go to another one."""

    server: HttpUrl = Field(description="where it answers, as in `https://ntfy.example.org`")
    token_file: SecretFile | None = Field(
        default=None, description="file that holds the access token of an account that may use these topics"
    )
    answers: Topic = Field(
        description="the topic that the buttons write to; everybody may write to it, none but us read"
    )
    approvers: dict[Topic, Name] = Field(
        min_length=1,
        description="who may approve: each one's own topic, which nobody else may read, and the name for the record",
    )
    plain_http: bool = Field(default=False, description=PLAIN_HTTP)

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from without_tls("server", given, UNLESS)
        approvers = given.get("approvers")
        if isinstance(approvers, Mapping) and given.get("answers") in approvers:
            yield Contradiction(("answers",), "must not be a topic of an approver")


class SlackChat(Section):
    """A channel in Slack, with an app in Socket Mode: it is connected to, and nothing has to reach this machine."""

    app_token_file: SecretFile = Field(description="file that holds the app-level token, `xapp-...`")
    bot_token_file: SecretFile = Field(description="file that holds the bot's token, `xoxb-...`")
    channel: SlackId = Field(description="the channel's id, as in `C0123456789`")
    approvers: dict[SlackId, Name] = Field(
        min_length=1,
        description="who may approve: each one's member id, as in `U0123456789`, and the name for the record",
    )
    api: HttpUrl = Field(default="https://slack.com", description="where Slack answers")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from without_tls("api", given)


class MailChat(Section):
    """Mail with a link of each approver's own, through the server of `notify.email`."""

    approvers: dict[Address, Name] = Field(
        min_length=1, description="who may approve: each one's address, and the name for the record"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from _said_twice(given.get("approvers"), lambda one: str(one).strip().lower())


class Chats(Section):
    """Approvals from chats. Empty means none."""

    telegram: TelegramChat | None = Field(default=None, description="in Telegram")
    ntfy: NtfyChat | None = Field(default=None, description="by ntfy")
    slack: SlackChat | None = Field(default=None, description="in Slack")
    mail: MailChat | None = Field(
        default=None, description="by mail; needs `notify.email`, and `console.url` for the link in it"
    )


def without_what_mail_needs(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """What stands elsewhere in the config: the server, and where the link leads."""

    def has(section: str, key: str) -> bool:
        found = given.get(section)
        return isinstance(found, Mapping) and found.get(key) is not None

    if has("chats", "mail"):
        for section, key in (("notify", "email"), ("console", "url")):
            if not has(section, key):
                yield Contradiction(("chats", "mail"), f"needs `{section}.{key}`")
