"""Remedies, guards and notification: the sections of ``upkeeper.yml`` that the remediator reads."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.named_files import SecretFile
from exporter.configfile.quantities import Duration
from exporter.configfile.section import (
    Contradiction,
    Name,
    OneLine,
    Section,
    repeated_names,
    shown,
    split_url,
)
from exporter.inventory.inventory import Inventory
from remediator.config.autonomy import Autonomy
from remediator.config.matchers import parse_matchers, whole_match


def _matchers_parse(text: str) -> str:
    if not parse_matchers(text):
        raise ValueError("it holds no matcher, so it would match every alert")
    return text


def _whole_regex(pattern: str) -> str:
    whole_match(pattern)
    return pattern


def _smarthost(text: str) -> str:
    if not re.fullmatch(r"\S+:[0-9]{1,5}", text):
        raise ValueError(f"{shown(text)} must be host:port, as in smtp.example.org:587")
    return text


def _channel(text: str) -> str:
    if not re.fullmatch(r"[#@]\S+", text):
        raise ValueError(f"{shown(text)} must be a channel such as '#alerts' (in quotes) or a person such as '@anna'")
    return text


def _http(url: str) -> str:
    split_url(url, "http", "https")
    return url


MatcherText = Annotated[str, AfterValidator(_matchers_parse)]
"""One or more matchers in Alertmanager's syntax, as in ``alertname="X"`` or ``{a="b", c=~"d.*"}``."""

WholeRegex = Annotated[str, AfterValidator(_whole_regex), WithJsonSchema({"type": "string", "format": "regex"})]
"""A regular expression in RE2 syntax that must match a whole value, as in matchers."""

SmartHost = Annotated[str, AfterValidator(_smarthost)]
Channel = Annotated[str, AfterValidator(_channel), WithJsonSchema({"type": "string", "pattern": "^[#@]"})]
HttpUrl = Annotated[str, AfterValidator(_http), WithJsonSchema({"type": "string", "pattern": "^https?://"})]


class Rate(Section):
    """How many runs of a remedy on one target are allowed in any hour and in any day."""

    per_hour: int = Field(default=4, ge=1, description="runs allowed in any hour")
    per_day: int = Field(default=12, ge=1, description="runs allowed in any day")


class Breaker(Section):
    """Stops a remedy that does not help: opens after so many failed or ineffective runs in a row on one target."""

    failures: int = Field(default=3, ge=1, description="failed or ineffective runs in a row that open it")
    reset_after: Duration = Field(default=86400.0, description="closes by itself after this time")


class GuardSettings(Section):
    """How the guards judge a run: one line for each guard that has a setting."""

    cooldown: Duration = Field(default=900.0, description="time after a run before the next on the same target")
    rate: Rate = Field(default=Rate(), description="how many runs are allowed")
    breaker: Breaker = Field(default=Breaker(), description="when to stop trying")


class Approving(Section):
    """How a person is asked."""

    expires: Duration = Field(default=4 * 3600.0, description="a plan that nobody approved for so long is dropped")


class Rule(Section):
    """What a remedy does about which alert."""

    name: Name = Field(description="names it in the record and in metrics")
    match: list[MatcherText] = Field(min_length=1, description="all must match; Alertmanager's matcher syntax")
    task: Name = Field(description="what to run; `upkeeper tasks` lists them")
    target: Name | None = Field(default=None, description="always this configured target")
    target_label: str | None = Field(default=None, description="the alert's label whose value names the target")
    targets: dict[WholeRegex, Name] | None = Field(
        default=None,
        min_length=1,
        description="regular expressions of the whole value of `target_label:`, each with the target it stands for; "
        "the first that matches decides, and without one there is no target",
    )
    autonomy: Autonomy = Field(
        default="observe",
        description="observe: record what would run; approve: plan, and wait for a person; auto: run it",
    )
    approval: Approving = Field(default=Approving(), description="how a person is asked")
    settle: Duration = Field(
        default=60.0,
        description="time after a run in which the alert should end; where it still fires then, the next remedy that "
        "matches has its turn, or this one again",
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        ways = [key for key in ("target", "target_label") if given.get(key) is not None]
        if len(ways) == 2:
            yield Contradiction(("target_label",), "stands beside `target:`; keep one of them")
        elif given.get("targets") is not None and given.get("target_label") is None:
            yield Contradiction(("targets",), "needs `target_label:`, the alert's label whose value they match")
        elif not ways:
            yield Contradiction((), "needs `target:` (always the same) or `target_label:` (the alert's label names it)")


class Remedy(GuardSettings, Rule):
    """A rule: alerts that match -> a task on a configured target.

    Where several match an alert, they have their turns in the order of the file, each behind its own guards.
    """


class Email(Section):
    """Where Alertmanager mails alerts, and through which server."""

    to: str = Field(min_length=3, description="who gets the mail; several with commas")
    sender: str = Field(alias="from", min_length=3, description="the sender's address")
    smarthost: SmartHost = Field(description="host:port of the SMTP server")
    username: str | None = Field(default=None, min_length=1, description="account on the SMTP server")
    password_file: SecretFile | None = Field(default=None, description="file that holds the account's password")
    require_tls: bool = Field(default=True, description="send only over an encrypted connection (STARTTLS)")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        for key, other in (("username", "password_file"), ("password_file", "username")):
            if given.get(key) is not None and given.get(other) is None:
                yield Contradiction((key,), f"needs `{other}:` beside it; give both, or neither")


class Slack(Section):
    """Where Alertmanager posts alerts. The webhook URL is a secret, so it comes from a file."""

    webhook_url_file: SecretFile = Field(description="file that holds the incoming webhook's URL")
    channel: Channel = Field(description="where to post, as in `'#alerts'`")


class Notify(Section):
    """Who hears of alerts. Empty means nobody but the remediator."""

    email: Email | None = Field(default=None, description="by mail")
    slack: Slack | None = Field(default=None, description="in Slack")
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


class Peer(Section):
    """A Prometheus or Alertmanager that is already there, in place of the one `upkeeper up` starts."""

    url: HttpUrl = Field(description="where it answers, as in `http://127.0.0.1:9090`")


class Remediator(Section):
    """The remediator itself."""

    workers: int = Field(default=2, ge=1, le=32, description="runs at the same time")
    retention: Duration = Field(default=90 * 86400.0, description="finished runs and ended alerts are kept this long")


class Config(Inventory):
    """All of ``upkeeper.yml``: the inventory and what to do about it."""

    remedies: list[Remedy] | None = Field(
        default=None, description="what to do about which alert; default: the remedies that ship with Upkeeper"
    )
    notify: Notify = Field(default=Notify(), description="who hears of alerts")
    remediator: Remediator = Field(default=Remediator(), description="the remediator itself")
    prometheus: Peer | None = Field(default=None, description="a Prometheus that is already there")
    alertmanager: Peer | None = Field(default=None, description="an Alertmanager that is already there")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from super().contradictions(given)
        yield from repeated_names("remedies", given.get("remedies"))
        if "remedies" in given and given["remedies"] is None:
            yield Contradiction(("remedies",), "has no value; write [] for none, or remove it for those that ship")
