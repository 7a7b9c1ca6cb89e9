"""Durations and sizes as people write them: ``90s``, ``1h30m``, ``30d``; ``500MB``, ``10GiB``."""

import re
from datetime import timedelta
from math import inf

_UNIT_SECONDS = {"y": 365 * 86400.0, "w": 7 * 86400.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_CENTURY = 100 * _UNIT_SECONDS["y"]
_DURATION = re.compile(r"(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?")
_DIGITS = 15
_LONGEST_SHOWN = 70
_PART = re.compile(r"(\d+)(ms|[ywdhms])")


def parse_duration(value: object) -> object:
    """Seconds of a Prometheus duration such as ``1h30m``.

    Numbers and timedeltas pass through as seconds, and so does None. Anything else, and more than a century, raises
    ValueError naming the form.
    Units and their order are Prometheus's own: https://prometheus.io/docs/prometheus/latest/configuration/configuration/
    """
    if value is None:
        return value
    seconds = _seconds(value)
    if seconds is None:
        raise ValueError(f"{_short(value)} is not a duration; write for example 30s, 15m, 1h30m or 7d")
    if not seconds <= _CENTURY:  # which also refuses what is not a number
        raise ValueError(f"{_short(value)} is too long; the longest duration is 100y")
    return seconds


def _short(value: object) -> str:
    """As an error shows it: anybody may have typed it into a form."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if text == "0":
        return 0.0
    if not text or not _DURATION.fullmatch(text):
        return None
    parts = [(number.lstrip("0") or "0", unit) for number, unit in _PART.findall(text)]
    if any(len(number) > _DIGITS for number, _ in parts):
        return inf  # more than a float or int() of so many digits takes
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """The shortest Prometheus duration of that many seconds, to the millisecond: 5400 -> ``1h30m``."""
    rest = round(seconds * 1000)
    if rest == 0:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        size = round(_UNIT_SECONDS[unit] * 1000)
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def format_bytes(count: float) -> str:
    """A size in binary units with three significant digits: 1536 -> ``1.5 KiB``."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024 or unit == "TiB":
            return (
                f"{size:.0f} B" if unit == "B" else f"{size:.3g} {unit}" if abs(size) < 1000 else f"{size:.0f} {unit}"
            )
        size /= 1024
    raise AssertionError("unreachable")


def exact_bytes(count: int) -> str | int:
    """A size as a config would say it, and exact: 10485760 -> ``10MiB``; bytes where no binary unit divides it."""
    for exponent, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count and count % 1024**exponent == 0:
            return f"{count // 1024**exponent}{unit}"
    return int(count)
