"""Names and times as text for people."""

from datetime import UTC, datetime


def printable(name: bytes | str) -> str:
    """A file's name as UTF-8, with bytes that are none as ``\\xff``. A str is one of os.fsdecode."""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")


def moment(seconds: float) -> str:
    """Unix seconds as RFC 3339 has them, in UTC and whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
