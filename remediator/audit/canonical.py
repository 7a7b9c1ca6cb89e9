"""One text for one value: JSON in the canonical form of RFC 8785 (https://www.rfc-editor.org/rfc/rfc8785).

Keys are sorted by their UTF-16 code units, there is no space between tokens, and only those characters are escaped that
must be. Numbers are whole and within +-2^53, which every JSON parser reads as what they are: others RFC 8785 prints as
ECMAScript does, and a hash must not depend on how a float is printed or stored.
"""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

_WHOLE = 2**53


def canonical(value: Any) -> str:
    """The canonical text of a JSON value, which ``plain`` would leave as it is."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """The value with its keys in order, and only with what has one form.

    A float that is whole becomes an integer; any other number, and an integer beyond 2^53, the text that Python shows
    of it. Half a surrogate pair becomes U+FFFD, as it has no UTF-8. Raises TypeError for what JSON has no form for.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value if abs(value) <= _WHOLE else str(value)
    if isinstance(value, float):
        return int(value) if isfinite(value) and value.is_integer() and abs(value) <= _WHOLE else repr(value)
    if isinstance(value, Mapping):
        return {key: plain(value[given]) for key, given in sorted(_keys(value), key=_utf16)}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _keys(value: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    return [(_text(str(key)), key) for key in value]


def _utf16(pair: tuple[str, Any]) -> bytes:
    return pair[0].encode("utf-16-be")


def _text(text: str) -> str:
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
