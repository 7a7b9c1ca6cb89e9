"""A part of the archive: what it is called, and who finds it out."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple


class Part(NamedTuple):
    """One file of the archive.

    find: a text, or a document that becomes JSON. It may raise anything and take for ever: it is given a few seconds,
    and what it raises stands in the manifest. keep: which end of a text that is too long is kept.
    """

    path: str
    find: Callable[[], Awaitable[Any]]
    keep: Literal["begin", "end"] = "begin"


class Entry(NamedTuple):
    """What became of a part. content: redacted and bounded. left_out: bytes that were more than it may have. problem:
    why there is none, empty when there is.
    """

    path: str
    content: bytes
    left_out: int = 0
    problem: str = ""
