"""Whether an answer is the expected one. Pure."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.section import regex_search, shown
from exporter.settings.conditions import JsonCondition
from exporter.settings.services import Probe

if TYPE_CHECKING:
    from jsonpath import CompoundJSONPath, JSONPath

MAX_BODY_BYTES = 1024 * 1024
"""How much of a body is read; conditions see no more."""

_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition with what was found. expected, found: for the eyes of whoever asked for every step."""

    expected: str
    found: str
    met: bool
    failure: str
    """Why it is not met, without what was found: that may hold anything."""


def judge(probe: Probe, status: int, body: bytes) -> Iterator[Finding]:
    """Each condition of an HTTP probe in turn; the first that is not met is why the probe fails."""
    wanted = " or ".join(map(str, probe.expect_status))
    yield Finding(
        f"status {wanted}", f"status {status}", status in probe.expect_status, f"status {status}, expected {wanted}"
    )
    if probe.body_regex is not None:
        met = search(probe.body_regex, body)
        yield Finding(
            f"body matches {shown(probe.body_regex)}",
            "a match" if met else "no match",
            met,
            f"status {status}, but the body does not match body_regex",
        )
    if probe.body_json:
        yield from _judge_json(probe.body_json, status, body)


@lru_cache(maxsize=128)
def _regex(pattern: str) -> Callable[[bytes], bool]:
    return regex_search(pattern)


def search(pattern: str, text: bytes) -> bool:
    """Whether a text holds a match of a regular expression in RE2 syntax."""
    return _regex(pattern)(text)


def _judge_json(conditions: Sequence[JsonCondition], status: int, body: bytes) -> Iterator[Finding]:
    try:
        # A string by itself goes back into its JSON form, as the library would take it for a document.
        document = json.loads(body)
        document = json.dumps(document) if isinstance(document, str) else document
    except (ValueError, RecursionError):
        why = f"is longer than {MAX_BODY_BYTES} bytes" if len(body) >= MAX_BODY_BYTES else "is not JSON"
        yield Finding("body is JSON", f"it {why}", False, f"status {status}, but the body {why}")
        return
    for condition in conditions:
        words = describe(condition)
        try:
            values = _compiled(condition.path).findall(document)
        except Exception as error:  # noqa: BLE001 - the library's own errors, and Python's in its filter functions
            found, met = f"{type(error).__name__} while looking", False
        else:
            found, met = _show(values), meets(condition, values)
        operators = words.removeprefix(condition.path).strip()
        yield Finding(words, found, met, f"status {status}, but not in the body: {condition.path} {operators}")


@lru_cache(maxsize=128)
def _compiled(path: str) -> "JSONPath | CompoundJSONPath":
    import jsonpath

    return jsonpath.compile(path, strict=True)


def describe(condition: JsonCondition) -> str:
    """A condition as a sentence: ``$.database.status equals "ok"``."""
    parts: list[str] = []
    if condition.exists is not None:
        parts.append("exists" if condition.exists else "does not exist")
    if condition.equals is not None:
        parts.append(f"equals {_json(condition.equals)}")
    if condition.one_of is not None:
        parts.append(f"is one of {_json(condition.one_of)}")
    if condition.matches is not None:
        parts.append(f"matches {shown(condition.matches)}")
    if condition.at_least is not None:
        parts.append(f"is at least {condition.at_least:g}")
    if condition.at_most is not None:
        parts.append(f"is at most {condition.at_most:g}")
    return f"{condition.path} {' and '.join(parts)}"


def meets(condition: JsonCondition, values: Sequence[object]) -> bool:
    """Whether the values that the path found are what the condition asks for: there are some, and each is."""
    if condition.exists is False:
        return not values
    return bool(values) and all(_is_well(condition, value) for value in values)


def _is_well(condition: JsonCondition, value: object) -> bool:
    return (
        (condition.equals is None or _same(value, condition.equals))
        and (condition.one_of is None or any(_same(value, one) for one in condition.one_of))
        and (condition.matches is None or search(condition.matches, _text(value).encode()))
        and (condition.at_least is None or _number(value) >= condition.at_least)
        and (condition.at_most is None or _number(value) <= condition.at_most)
    )


def _same(left: object, right: object) -> bool:
    """Equality of JSON, where true is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _number(value: object) -> float:
    """A number as it is; for anything else one that compares to nothing."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _text(value: object) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _show(values: Sequence[object]) -> str:
    if not values:
        return "nothing"
    more = f", and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else ""
    return ", ".join(_cut(_json(value)) for value in values[:_MOST_SHOWN]) + more


def _cut(text: str) -> str:
    return text if len(text) <= 70 else f"{text[:67]}..."
