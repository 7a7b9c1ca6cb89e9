"""The OpenAPI document keeps what clients of earlier builds were made from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from remediator.api.openapi import openapi

FORMER = Path(__file__).with_name("openapi-d86ce07.json")
"""As the build of d86ce07 served it."""


def lost(former: Any, now: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where something that stood in the former document stands no more, or otherwise. A list may have more."""
    if isinstance(former, dict) and isinstance(now, dict):
        for key, value in former.items():
            if key not in ("description", "version"):
                yield from lost(value, now[key], (*where, key)) if key in now else [(*where, key)]
    elif where[-1] == "parameters" and isinstance(former, list):
        there = {each["name"]: each for each in now}
        yield from lost({each["name"]: each for each in former}, there, (*where, "named"))
    elif where[-1] == "anyOf" and len(former) <= len(now):
        for number, each in enumerate(former):
            yield from lost(each, now[number], (*where, str(number)))
    elif where[-1] in ("enum", "required") and isinstance(former, list):
        yield from ((*where, str(each)) for each in former if each not in now)
    elif former != now:
        yield (*where, f"{former} is now {now}")


def test_what_a_former_client_knows_is_still_there() -> None:
    former, now = json.loads(FORMER.read_text()), openapi("0.1.0")
    assert list(lost(former, now)) == []


def test_no_request_of_a_former_client_lacks_anything() -> None:
    former, now = json.loads(FORMER.read_text()), openapi("0.1.0")
    for path, methods in former["paths"].items():
        for method, operation in methods.items():
            was = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            body = now["paths"][path][method].get("requestBody", {}).get("content", {}).get("application/json", {})
            assert set(body.get("schema", {}).get("required", [])) <= set(was.get("required", [])), (method, path)


def test_what_is_lost_is_found() -> None:
    now = openapi("0.1.0")
    assert list(lost({"paths": {"/gone": {}}}, now)) == [("paths", "/gone")]
    assert list(lost({"openapi": "3.0.0"}, now)) == [("openapi", "3.0.0 is now 3.1.0")]
    gone_too = {"paths": {"/api/v1/runs": {"get": {"parameters": [{"name": "gone"}]}}}}
    assert list(lost(gone_too, now)) == [("paths", "/api/v1/runs", "get", "parameters", "named", "gone")]
    gone = {"components": {"schemas": {"PauseView": {"required": ["task", "gone"]}}}}
    assert list(lost(gone, now)) == [("components", "schemas", "PauseView", "required", "gone")]
