"""What a JSON condition asks for, and what meets it."""

import json

import pytest

from exporter.inventory.conditions import JsonCondition
from exporter.probing.conditions import MAX_BODY_BYTES, describe, judge
from tests.exporter.serving import probe

BODY = {
    "status": "ok",
    "up": True,
    "count": 3,
    "ratio": 0.5,
    "one": 1,
    "none": None,
    "database": {"status": "ok", "lag": 2},
    "checks": [{"name": "a", "ok": True}, {"name": "b", "ok": False}],
    "list": ["ok", "ok"],
}


def met(condition: dict[str, object], body: object = BODY) -> bool:
    return all(
        finding.met for finding in judge(probe("http://h/", body_json=[condition]), 200, json.dumps(body).encode())
    )


@pytest.mark.parametrize(
    ("path", "operator", "value", "expected"),
    [
        ("$.status", "equals", "ok", True),
        ("$.status", "equals", "OK", False),
        ("$.database.status", "equals", "ok", True),
        ("$.nothing", "equals", "ok", False),
        ("$.up", "equals", True, True),
        ("$.up", "equals", 1, False),
        ("$.up", "equals", "true", False),
        ("$.one", "equals", True, False),
        ("$.one", "equals", 1.0, True),
        ("$.count", "equals", "3", False),
        ("$.list[*]", "equals", "ok", True),
        ("$.checks[*].ok", "equals", True, False),
        ("$.checks[?@.name=='a'].ok", "equals", True, True),
        ("$.status", "one_of", ["ok", "degraded"], True),
        ("$.none", "one_of", [None], True),
        ("$.status", "one_of", ["down", 1], False),
        ("$.status", "matches", "^o", True),
        ("$.status", "matches", "^k", False),
        ("$.count", "matches", "^3$", True),
        ("$.up", "matches", "true", True),
        ("$.count", "at_least", 3, True),
        ("$.count", "at_least", 3.5, False),
        ("$.ratio", "at_most", 0.5, True),
        ("$.ratio", "at_most", 0.4, False),
        ("$.status", "at_most", 100, False),
        ("$.up", "at_least", 0, False),
        ("$.none", "exists", True, True),
        ("$.nothing", "exists", True, False),
        ("$.nothing", "exists", False, True),
        ("$.none", "exists", False, False),
        ("$..lag", "at_most", 5, True),
    ],
)
def test_operators(path: str, operator: str, value: object, expected: bool) -> None:
    assert met({"path": path, operator: value}) is expected


def test_all_operators_of_a_condition_and_all_conditions_must_be_met() -> None:
    assert met({"path": "$.count", "at_least": 1, "at_most": 5})
    assert not met({"path": "$.count", "at_least": 1, "at_most": 2})


@pytest.mark.parametrize("body", ["ok", "[1]", "{", "$", 3, True, None, [], {}])
def test_any_document_is_looked_at_as_it_is(body: object) -> None:
    """A string that looks like a document is a string, and one that does not is not refused."""
    assert met({"path": "$", "exists": True}, body)
    assert not met({"path": "$.a", "exists": True}, body)
    if isinstance(body, str):
        assert met({"path": "$", "equals": body}, body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "is not JSON"),
        (b"<html>ok</html>", "is not JSON"),
        (b"\xff\xfe\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"status": "ok"', "is not JSON"),
        (b'{"a": "' + b"x" * MAX_BODY_BYTES, f"is longer than {MAX_BODY_BYTES} bytes"),
    ],
)
def test_a_body_that_is_no_json_says_so(body: bytes, why: str) -> None:
    asked = probe("http://h/", body_json=[{"path": "$.status", "exists": True}])
    failures = [finding.failure for finding in judge(asked, 200, body[:MAX_BODY_BYTES]) if not finding.met]
    assert failures == [f"status 200, but the body {why}"]


def test_half_a_character_is_text_as_any_other() -> None:
    """JSON may hold half a surrogate pair (RFC 8259, section 8.2), which no encoding has."""
    assert met({"path": "$.a", "matches": "^x.$"}, {"a": "x\ud800"})
    assert not met({"path": "$.a", "matches": "^y"}, {"a": "x\ud800"})


def test_a_document_too_deep_for_the_path_is_a_failure_and_no_exception() -> None:
    deep: object = {}
    for _ in range(300):
        deep = {"a": deep}
    assert not met({"path": "$..b", "exists": False}, deep)


def test_the_failure_names_the_path_and_neither_what_was_found_nor_what_was_expected() -> None:
    asked = probe("http://h/", body_json=[{"path": "$.token", "equals": "hunter2"}])
    body = b'{"token": "swordfish"}'
    [finding] = [finding for finding in judge(asked, 200, body) if not finding.met]
    assert finding.failure == "status 200, but the body does not meet body_json: $.token"
    assert (finding.expected(), finding.found()) == ('$.token equals "hunter2"', '"swordfish"')


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"path": "$.a", "equals": True}, "$.a equals true"),
        ({"path": "$.a", "one_of": ["x", None]}, '$.a is one of ["x", null]'),
        ({"path": "$.a", "at_least": 1, "at_most": 2.5}, "$.a is at least 1 and is at most 2.5"),
        ({"path": "$.a", "exists": False}, "$.a does not exist"),
        ({"path": "$.a", "exists": True, "matches": "x"}, "$.a exists and matches 'x'"),
    ],
)
def test_a_condition_in_words(condition: dict[str, object], words: str) -> None:
    assert describe(JsonCondition.model_validate(condition)) == words
