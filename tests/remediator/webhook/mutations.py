"""Small damage to JSON documents, from a seeded source, so that a failure can be repeated."""

import json
import random
from typing import Any

_VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    "",
    "firing",
    "\0",
    "9" * 300,
    [],
    {},
    [[[]]],
    {"labels": {"a": 1}},
]
_BYTES = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\0", b"\xff", b"\\u0000", b"\\ud800", b"-", b"e9", b" "]


def mutated(body: bytes, source: random.Random) -> bytes:
    """The document with one to three changes: to its values as often as to its bytes."""
    for _ in range(source.randint(1, 3)):
        body = _bytes_changed(body, source) if source.random() < 0.5 else _value_changed(body, source)
    return body


def _bytes_changed(body: bytes, source: random.Random) -> bytes:
    start = source.randrange(len(body) + 1)
    end = min(len(body), start + source.choice([0, 0, 1, 1, 7, len(body)]))
    insert = source.choice([b"", source.choice(_BYTES), source.choice(_BYTES) * 1_000, body[start:end] * 2])
    return body[:start] + insert + body[end:]


def _value_changed(body: bytes, source: random.Random) -> bytes:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    places: list[tuple[Any, Any]] = []
    _collect(document, places)
    if not places:
        return body
    parent, key = source.choice(places)
    if source.random() < 0.3:
        del parent[key]
    else:
        parent[key] = source.choice(_VALUES)
    return json.dumps(document).encode("utf-8", "replace")


def _collect(node: Any, places: list[tuple[Any, Any]]) -> None:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        places.append((node, key))
        _collect(child, places)
