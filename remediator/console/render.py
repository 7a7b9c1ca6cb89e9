"""Pages as HTML: Jinja2, which escapes all that is put in, and the words and figures of people."""

import json
import re
import shlex
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from exporter.base.spans import ago, ahead, coarse, precise, took
from exporter.base.text import counted, format_time, format_time_ms, parse_time
from exporter.base.units import format_bytes, format_duration
from exporter.base.visible import visible_lines
from remediator.console.forms import shown_of
from remediator.model.tracks import track
from remediator.progress import in_words

GOOD = frozenset(
    {
        "effective",
        "nothing-to-do",
        "done",
        "resolved",
        "run",
        "approved",
        "ok",
        "auto",
        "ran",
        "whole",
        "up",
        "well",
        "complete",
    }
)
WAITS = frozenset(
    {"planned", "queued", "measuring", "planning", "running", "applying", "verifying", "observe", "doing"}
)
_OF_API = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
BAD = frozenset({"failed", "firing", "critical", "overdue", "missed", "damaged", "down"})
"""Words of the record by their colour; all others are a warning's. The word is always shown, too."""


_MOMENTS = ("timestamp_seconds", "_at", "date")
"""Ends of the names of what is a point in time, in Unix seconds."""
_exact: ContextVar[bool] = ContextVar("exact", default=False)


def render(template: str, values: Mapping[str, Any], now: float, *, exact: bool = False) -> str:
    """A page. now: Unix seconds, from which spans of time are told. exact: times are shown as they are, in UTC."""
    token = _exact.set(exact)
    try:
        return _environment().get_template(template).render(now=datetime.fromtimestamp(now, UTC), **values)
    finally:
        _exact.reset(token)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("remediator.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=shown,
    )
    environment.filters |= {
        "bytes": format_bytes,
        "duration": format_duration,
        "coarse": coarse,
        "precise": precise,
        "figure": _figure,
        "lines": _lines,
        "shell": shlex.quote,
        "sent_back": _sent_back,
        "urlencode": lambda text: quote(str(text), errors="replace"),  # half a pair of surrogates has no address
        "words": lambda name: str(name).replace("_", " "),
    }
    environment.globals |= {
        "when": _when,
        "until": _until,
        "since": _since,
        "clock": _clock,
        "shown_of": shown_of,
        "took": took,
        "counted": counted,
        "track": track,
        "kind_of": _kind_of,
        "in_words": in_words,
    }
    return environment


def shown(value: object) -> object:
    """What stands on a page in place of a value that anybody may have chosen; what is markup already is of ours."""
    return visible_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _sent_back(value: object) -> Markup:
    """A value that a form sends as it is. Half a pair of surrogates cannot be sent."""
    return escape(str(value).encode("utf-8", "replace").decode())


def _when(text: str | None, now: datetime) -> Markup:
    """A time of the API as how long ago it was; the exact one is in the element, for who asks."""
    return Markup('<span class="dim">never</span>') if text is None else _time(text, ago(text, now))


def _since(seconds: float, now: datetime) -> Markup:
    """The same of Unix seconds."""
    return _when(format_time_ms(seconds), now)


def _until(text: str | None, now: datetime) -> Markup:
    """The same of a time that is to come."""
    return Markup('<span class="dim">-</span>') if text is None else _time(text, ahead(text, now))


def _clock(text: str) -> Markup:
    """A time of the API as it is, in any case: in UTC, until a script has it in the reader's zone."""
    exact = _whole(text)
    return Markup(f'<time datetime="{exact}" data-clock>{_in_utc(exact)}</time>')  # noqa: S704 - of digits


def _time(text: str, shown: str) -> Markup:
    exact = _whole(text)
    if _exact.get():
        shown = _in_utc(exact)
    return Markup(f'<time datetime="{exact}" title="{exact}">{escape(shown)}</time>')  # noqa: S704 - of digits


def _whole(text: str) -> str:
    """To the second, in UTC."""
    # The API's times are in UTC to the millisecond. A page has hundreds of them.
    return f"{text[:19]}Z" if _OF_API.fullmatch(text) else format_time(parse_time(text).timestamp())


def _in_utc(exact: str) -> str:
    return f"{exact[:10]} {exact[11:19]} UTC"


def _kind_of(word: str | None) -> str:
    """The class of a state's badge."""
    if word in GOOD:
        return "good"
    if word in BAD:
        return "bad"
    return "busy" if word in WAITS else "plain" if word in (None, "unmatched", "superseded") else "warn"


def _lines(body: Mapping[str, object]) -> str:
    """A record's body, a line for each of its fields. Indented JSON takes twenty times as long to write."""
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in body.items()
    )


def _figure(value: object, name: str = "") -> str:
    """A figure of a measurement or a row in its unit, which the end of its name tells."""
    try:
        return _in_unit(value, name)
    except (ValueError, OverflowError, OSError):  # no number, without an end, or no time that a calendar has
        return str(value)


def _in_unit(value: object, name: str) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int | float):
        if name.endswith(_MOMENTS):
            return _clock(format_time_ms(value)) if value else "never"
        if name.endswith("bytes"):
            return format_bytes(value)
        if name.endswith("seconds"):
            return coarse(value) if value >= 120 else precise(value)
        if name.endswith("ratio"):
            return f"{value:.1%}"
        return f"{int(value):,}" if float(value).is_integer() else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
