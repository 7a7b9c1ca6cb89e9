"""Notification: who hears of alerts."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.base.listen import is_loopback_host
from exporter.configfile.named_files import SecretFile
from exporter.configfile.section import Contradiction, OneLine, Section, shown
from remediator.config.chats import PLAIN_HTTP, UNLESS, Topic, without_tls
from remediator.config.urls import HttpUrl


def _smarthost(text: str) -> str:
    if not re.fullmatch(r"\S+:[0-9]{1,5}", text):
        raise ValueError(f"{shown(text)} must be host:port, as in smtp.example.org:587")
    host, _, port = text.rpartition(":")
    if not 0 < int(port) < 65536:
        raise ValueError(f"{shown(text)} must end with a port from 1 to 65535, as in smtp.example.org:587")
    if not _is_name(host.strip("[]")):
        raise ValueError(f"{shown(text)} names no server: what stands between dots has 1 to 63 characters")
    return text


def _is_name(host: str) -> bool:
    """Whether the resolver can be asked for it."""
    try:
        return 0 < len(host.encode("idna")) < 255
    except UnicodeError:
        return False


def _channel(text: str) -> str:
    if not re.fullmatch(r"[#@]\S+", text):
        raise ValueError(f"{shown(text)} must be a channel such as '#alerts' (in quotes) or a person such as '@anna'")
    return text


SmartHost = Annotated[str, AfterValidator(_smarthost)]
Channel = Annotated[str, AfterValidator(_channel), WithJsonSchema({"type": "string", "pattern": "^[#@]"})]


class Email(Section):
    """Where Alertmanager mails alerts, and through which server."""

    to: str = Field(min_length=3, description="who gets the mail; several with commas")
    sender: str = Field(alias="from", min_length=3, description="the sender's address")
    smarthost: SmartHost = Field(description="host:port of the SMTP server")
    username: str | None = Field(default=None, min_length=1, description="account on the SMTP server")
    password_file: SecretFile | None = Field(default=None, description="file that holds the account's password")
    require_tls: bool = Field(default=True, description="send only over an encrypted connection (STARTTLS)")
    reports: bool = Field(default=True, description="whether the maintenance report is mailed there, too")
    outcomes: bool = Field(default=True, description="whether what Upkeeper did about an alert is mailed there, too")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        for key, other in (("username", "password_file"), ("password_file", "username")):
            if given.get(key) is not None and given.get(other) is None:
                yield Contradiction((key,), f"needs `{other}:` beside it; give both, or neither")


class Slack(Section):
    """Where Alertmanager posts alerts. The webhook URL is a secret, so it comes from a file."""

    webhook_url_file: SecretFile = Field(description="file that holds the incoming webhook's URL")
    channel: Channel = Field(description="where to post, as in `'#alerts'`")
    reports: bool = Field(default=True, description="whether the maintenance report is posted there, too, in short")
    outcomes: bool = Field(default=True, description="whether what Upkeeper did about an alert is posted there, too")


class Telegram(Section):
    """Where Alertmanager sends alerts through a bot. The bot's token is a secret, so it comes from a file."""

    bot_token_file: SecretFile = Field(description="file that holds the bot's token, as BotFather gives it")
    chat_id: int = Field(description="number of the chat; that of a group is negative")
    outcomes: bool = Field(default=True, description="whether what Upkeeper did about an alert is sent there, too")
    api: HttpUrl = Field(default="https://api.telegram.org", description="the Bot API, or a server of your own for it")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        api = given.get("api")
        plain = (
            re.match(r"http://(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]*)", api, re.IGNORECASE) if isinstance(api, str) else None
        )
        if plain is not None and not is_loopback_host(plain[1].strip("[]")):
            yield Contradiction(("api",), "must begin with https: whoever is on the way could read the token")


class Ntfy(Section):
    """Which topic of an ntfy server, 2.14 or later, Alertmanager publishes alerts in."""

    server: HttpUrl = Field(description="where it answers, as in `https://ntfy.example.org`")
    topic: Topic = Field(description="the topic; whoever knows the name of one that is open to all reads what is told")
    token_file: SecretFile | None = Field(
        default=None, description="file that holds the access token of an account that may write to the topic"
    )
    outcomes: bool = Field(default=True, description="whether what Upkeeper did about an alert is told there, too")
    plain_http: bool = Field(default=False, description=PLAIN_HTTP)

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from without_tls("server", given, UNLESS, "read the token and what is told")
        server = given.get("server")
        if isinstance(server, str) and re.search(r"[?#]", server):
            yield Contradiction(("server",), "must end before `?` and `#`: the topic follows it")


class Notify(Section):
    """Who hears of alerts. Empty means nobody but the remediator."""

    email: Email | None = Field(default=None, description="by mail")
    slack: Slack | None = Field(default=None, description="in Slack")
    telegram: Telegram | None = Field(default=None, description="in Telegram")
    ntfy: Ntfy | None = Field(default=None, description="by ntfy")
    host: OneLine | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        description="what messages call this machine; default: its host name, which in a container says nothing",
    )
    runbooks: HttpUrl | None = Field(
        default=None,
        description="where you have put the pages of docs/runbooks for all to read: messages then link to "
        "`URL/ALERT.md`",
    )
    dashboards: HttpUrl | None = Field(
        default=None,
        description="a Grafana that has the dashboards that ship: messages then link to the one of the alert, "
        "`URL/d/UID`",
    )

    @property
    def tells_nobody(self) -> bool:
        """Whether no person hears of any alert."""
        return all(way is None for way in (self.email, self.slack, self.telegram, self.ntfy))
