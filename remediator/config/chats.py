"""Where people are asked to approve plans, beside the console and the command: in chats that we call, never one that
must call us.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from exporter.configfile.named_files import SecretFile
from exporter.configfile.section import Contradiction, Section, shown
from remediator.config.urls import HttpUrl


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


class TelegramChat(Section):
    """A chat in Telegram, with a bot that is asked for answers: nothing has to reach this machine."""

    bot_token_file: SecretFile = Field(description="file that holds the bot's token, as BotFather gives it")
    chat_id: int = Field(description="number of the chat; that of a group is negative")
    approvers: dict[int, Name] = Field(
        min_length=1,
        description="who may approve: the number of each one's account in Telegram, and the name for the record",
    )
    api: HttpUrl = Field(default="https://api.telegram.org", description="the Bot API, or a server of your own for it")


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

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
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


class MailChat(Section):
    """Mail with a link of each approver's own, through the server of `notify.email`."""

    approvers: dict[Address, Name] = Field(
        min_length=1, description="who may approve: each one's address, and the name for the record"
    )


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
