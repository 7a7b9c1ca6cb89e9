"""Whether an answer is the expected one. Pure."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from exporter.configfile.section import regex_search, shown
from exporter.inventory.conditions import JsonCondition
from exporter.inventory.services import Probe

if TYPE_CHECKING:
    from jsonpath import CompoundJSONPath, JSONPath

MAX_BODY_BYTES = 1024 * 1024
"""How much of a body is read; conditions see no more."""

_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """One condition with what was found."""

    met: bool
    failure: str
    """Why it is not met, without what was found and what was expected: either may hold a secret."""
    expected: Callable[[], str]
    """In words, for the eyes of whoever wants to see every step; made only then."""
    found: Callable[[], str]
    """Likewise. Of any length."""


def judge(probe: Probe, status: int, body: bytes, unreadable: str = "") -> Iterator[ConditionResult]:
    """Each condition of an HTTP probe in turn; the first that is not met is why the probe fails.

    unreadable: what is wrong with a body that cannot be looked at, in words that go on after "the body".
    """
    wanted = " or ".join(map(str, probe.expect_status))
    yield ConditionResult(
        status in probe.expect_status,
        f"status {status}, expected {wanted}",
        lambda: f"status {wanted}",
        lambda: f"status {status}",
    )
    if unreadable and (probe.body_regex is not None or probe.body_json):
        yield ConditionResult(
            False, f"status {status}, but the body {unreadable}", lambda: "body is readable", lambda: f"it {unreadable}"
        )
        return
    if probe.body_regex is not None:
        met, regex = search(probe.body_regex, body), probe.body_regex
        yield ConditionResult(
            met,
            f"status {status}, but the body does not match body_regex",
            lambda: f"body matches {shown(regex)}",
            lambda: "a match" if met else "no match",
        )
    if probe.body_json:
        yield from _judge_json(probe.body_json, status, body)


@lru_cache(maxsize=128)
def _regex(pattern: str) -> Callable[[bytes], bool]:
    return regex_search(pattern)


def search(pattern: str, text: bytes) -> bool:
    """Whether a text holds a match of a regular expression in RE2 syntax."""
    return _regex(pattern)(text)


def _judge_json(conditions: Sequence[JsonCondition], status: int, body: bytes) -> Iterator[ConditionResult]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        why = f"is longer than {MAX_BODY_BYTES} bytes" if len(body) >= MAX_BODY_BYTES else "is not JSON"
        yield ConditionResult(
            False, f"status {status}, but the body {why}", lambda: "body is JSON", lambda: f"it {why}"
        )
        return
    for condition in conditions:
        failure = f"status {status}, but the body does not meet body_json: {condition.path}"
        expected = partial(describe, condition)
        try:
            values = find(condition.path, document)
        except Exception as error:  # noqa: BLE001 - the library's own errors, and Python's in its filter functions
            yield ConditionResult(False, failure, expected, partial(str, f"{type(error).__name__} while looking"))
        else:
            yield ConditionResult(meets(condition, values), failure, expected, partial(_show, values))


def find(path: str, document: object) -> Sequence[object]:
    """The values that a JSON path selects. Raises what the library raises."""
    # It would take a string for the text of a document, so a string goes back into that form.
    return _compiled(path).findall(json.dumps(document) if isinstance(document, str) else document)  # type: ignore[arg-type]


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
        and (condition.matches is None or search(condition.matches, _text(value).encode(errors="replace")))
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
    return ", ".join(map(_json, values[:_MOST_SHOWN])) + more
