"""Text of which Telegram makes nothing. Pure."""

from collections.abc import Mapping
from typing import Any


def as_it_is(text: str, after: str = "") -> Mapping[str, Any]:
    """Values of sendMessage and editMessageText. after: what follows the text, in which links are to be found.

    Telegram finds mentions, links and commands in any text, but not inside ``pre``, which holds nothing else
    (https://core.telegram.org/bots/api#formatting-options). Lengths are in units of UTF-16.
    """
    whole = {"type": "pre", "offset": 0, "length": len(text.encode("utf-16-le", "surrogatepass")) // 2}
    return {"text": text + after, "entities": [whole], "link_preview_options": {"is_disabled": True}}
