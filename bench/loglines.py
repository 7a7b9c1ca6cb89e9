"""Realistic logs: an access log, JSON lines, and a Python application's text, with ids, addresses and durations."""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

_WORDS = re.findall(
    r"\w+",
    "connection pool checkout timed out retrying request agent message embedding stored workflow started finished"
    " node executed query plan index scan lock waited checkpoint complete wrote buffers session opened closed token"
    " refreshed user login failed password cache miss hit evicted tool call returned error upstream reset",
)
_LOGGERS = ("letta.server.rest_api", "n8n.workflow", "open_webui.routers.chats", "uvicorn.access", "sqlalchemy.engine")
_LEVELS = ("INFO",) * 14 + ("DEBUG",) * 3 + ("WARNING",) * 2 + ("ERROR",)
_PATHS = ("/v1/agents", "/v1/agents/{}/messages", "/api/v1/chats/{}", "/healthz", "/rest/executions/{}", "/webhook/{}")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "python-httpx/0.28.1",
    "curl/7.88.1",
    "Prometheus/2.42.0",
)


class _Event:
    """What one line tells, drawn from a seeded random source."""

    def __init__(self, source: random.Random, seconds: float) -> None:
        self.random = source
        self.at = datetime.fromtimestamp(seconds, UTC)
        self.id = f"{source.getrandbits(32):08x}-{source.getrandbits(16):04x}-{source.getrandbits(48):012x}"
        self.address = f"10.{source.randrange(4)}.{source.randrange(20)}.{source.randrange(1, 255)}"
        self.message = " ".join(source.choices(_WORDS, k=source.randrange(3, 10)))
        self.milliseconds = source.lognormvariate(3, 1)


def _access(event: _Event) -> str:
    pick = event.random.choice
    path = pick(_PATHS).format(event.id)
    status, size = pick((200,) * 12 + (201, 204, 304, 400, 401, 404, 502)), int(event.random.lognormvariate(7, 1.5))
    return (
        f'{event.address} - - [{event.at:%d/%b/%Y:%H:%M:%S} +0000] "{pick(("GET", "GET", "POST"))} {path} HTTP/1.1"'
        f' {status} {size} "-" "{pick(_AGENTS)}" rt={event.milliseconds / 1000:.3f}'
    )


def _json(event: _Event) -> str:
    pick = event.random.choice
    return json.dumps(
        {
            "timestamp": event.at.isoformat(timespec="milliseconds"),
            "level": pick(_LEVELS).lower(),
            "logger": pick(_LOGGERS),
            "event": event.message,
            "request_id": event.id,
            "duration_ms": round(event.milliseconds, 2),
            "client": event.address,
        }
    )


def _text(event: _Event) -> str:
    pick = event.random.choice
    return (
        f"{event.at:%Y-%m-%d %H:%M:%S},{event.at.microsecond // 1000:03d} - {pick(_LOGGERS)} - {pick(_LEVELS)}"
        f" - [{event.id}] {event.message} in {event.milliseconds:.1f} ms"
    )


STYLES: Mapping[str, Callable[[_Event], str]] = {"access": _access, "json": _json, "text": _text}


def content(style: str, size: int, seed: int = 1) -> bytes:
    """At least ``size`` bytes of whole lines; the same for the same arguments."""
    parts: list[str] = []
    length = 0
    lines = _lines(style, seed)
    while length < size:
        part = "".join(islice(lines, 1000))
        parts.append(part)
        length += len(part)
    return "".join(parts).encode()


def _lines(style: str, seed: int) -> Iterator[str]:
    source = random.Random(seed)
    seconds = 1_760_000_000.0
    while True:
        seconds += source.expovariate(40)
        yield STYLES[style](_Event(source, seconds)) + "\n"
