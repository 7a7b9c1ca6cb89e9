"""What must be true of whatever is read from outside: it is taken, or refused with its own error.

Each judge takes bytes, and raises whatever it finds wrong.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.configfile.file import parse
from exporter.configfile.problem import ConfigError
from remediator.config.config import Config
from remediator.config.cron import CronError, parse_cron
from remediator.config.matchers import MatcherError, matches_all, parse_matchers
from remediator.webhook.payload import PayloadError, parse_notification

ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")]
LABELS = {"alertname": "Down", "severity": "critical", "instance": "web1:9100", "é": "\u2028", "": "\0"}
MINUTES = 4_000_000_000 // 60


def payload(body: bytes) -> None:
    """Of Alertmanager: each alert that is taken can be known again."""
    try:
        notification = parse_notification(body)
    except PayloadError as refused:
        found = refused.status
    else:
        found = 202 if all(len(alert.fingerprint) == 16 for alert in notification.alerts) else 0
    assert found in (202, 400, 413, 415)


def matchers(text: bytes) -> None:
    """As a config has them. They match a set of labels, or do not."""
    matchers_of(text.decode("utf-8", "surrogateescape"), LABELS)


def matchers_of(text: str, labels: Mapping[str, str]) -> None:
    try:
        found = parse_matchers(text)
    except MatcherError:
        return
    assert matches_all(found, labels) in (True, False)


def cron(text: bytes) -> None:
    """The first two bytes choose the zone and the moment; the rest is an expression."""
    zone = ZONES[text[0] % len(ZONES)] if text else ZONES[0]
    moment = MINUTES * (text[1] if len(text) > 1 else 0) // 256 * 60.0
    cron_of(text[2:].decode("utf-8", "surrogateescape"), zone, moment)


def cron_of(text: str, zone: ZoneInfo, now: float) -> None:
    """Its due times come later, and within the times that calendars know."""
    try:
        found = parse_cron(text, zone)
    except CronError:
        return
    due = found.after(now)
    if due is not None:
        assert due > now
        assert due - now < 60 * 366 * 86400


def config(text: bytes) -> None:
    """The mistakes of a file are named with the file."""
    said = "upkeeper.yml"
    try:
        parse(Path("upkeeper.yml"), text, Config, env={})
    except ConfigError as mistakes:
        said = str(mistakes)
    assert said.startswith("upkeeper.yml")


JUDGES: Mapping[str, Callable[[bytes], None]] = {
    "payload": payload,
    "matchers": matchers,
    "cron": cron,
    "config": config,
}
