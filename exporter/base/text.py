"""Names, times and numbers as text for people. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime


def printable(name: bytes | str) -> str:
    """A file's name as UTF-8, with bytes that are not UTF-8 as ``\\xff``. A str is one of os.fsdecode."""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")


def format_time(seconds: float) -> str:
    """Unix seconds in the form of RFC 3339, in UTC and whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"


def format_time_ms(seconds: float) -> str:
    """The same to the millisecond, as the API has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """A time in the form of RFC 3339. Raises ValueError for any other text."""
    return datetime.fromisoformat(text)


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 mistake``, ``3 mistakes``. many: the plural, where it is not formed with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean ...?`` with the known word that is most similar, in any case of letters; empty if none is."""
    import difflib  # seldom needed, and what commands print needs this file

    by_small = {one.lower(): one for one in sorted(known)}
    near = difflib.get_close_matches(word.lower(), by_small, n=1)
    return f"did you mean {by_small[near[0]]}?" if near else ""
