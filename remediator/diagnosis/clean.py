"""What parts find, without its secrets: documents by the names of their keys, then all of it as text. Pure."""

import base64
import json
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from exporter.base.commandsecrets import without_argument_secrets
from exporter.base.redact import redacted
from exporter.configfile.masked import masked

_HEX = re.compile(r"%[0-9A-F]{2}")
LEAST_LINE = 8
"""Characters of a line of a secret with many, such as a key, from which it counts by itself."""


def text_of(found: Any, known: Collection[str]) -> str:
    """What a part found as text without secrets. known: all forms of values that are secret wherever they stand."""
    if isinstance(found, str):
        found = _document(found)
    if isinstance(found, str):
        return redacted(found, known)
    plain = json.loads(json.dumps(found, ensure_ascii=False, default=str))
    return json.dumps(_Strings(plain, known).clean(masked(plain)), indent=1, ensure_ascii=False) + "\n"


def _document(text: str) -> Any:
    """The document that a text is, in which other text may be wrapped and is looked at by itself; else the text."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


class _Strings:
    """Redacts each text in a document by itself, so that it stays a document. known: of these, those that are in it."""

    def __init__(self, document: Any, known: Collection[str]) -> None:
        whole = "\n".join(_texts(document))
        self._known = [value for value in known if value in whole]
        self._done: dict[str, str] = {}

    def clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._text(key): self.clean(part) for key, part in value.items()}
        if isinstance(value, list):
            words = value if any(not isinstance(part, str) for part in value) else without_argument_secrets(value)
            return [self.clean(part) for part in words]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if text not in self._done:
            self._done[text] = redacted(text, self._known)
        return self._done[text]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def forms(values: Collection[str]) -> set[str]:
    """The values, and how they stand in JSON, in URLs and in headers."""
    return {form for value in values for part in _parts(value) for form in _forms(part)}


def _parts(value: str) -> Iterator[str]:
    yield value
    words = value.split()
    if len(words) == 2 and len(words[1]) >= LEAST_LINE:  # as in "Bearer ..."
        yield words[1]
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if len(line.strip()) >= LEAST_LINE)


def _forms(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    for encoded in (quote(value, safe=""), quote(value), quote(value, safe="!'()*"), quote_plus(value)):
        yield encoded
        yield _HEX.sub(lambda byte: byte[0].lower(), encoded)
    yield base64.b64encode(value.encode()).decode().rstrip("=")
