"""Times of the API: RFC 3339 strings in UTC."""

from datetime import datetime


def parse_time(text: str) -> datetime:
    """A time of the API. Raises ValueError when the text is none."""
    return datetime.fromisoformat(text)
