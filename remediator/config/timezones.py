"""Time zones by name, and the machine's own."""

import os
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from exporter.base.text import nearest

LOCALTIME = Path("/etc/localtime")


def known_zone(name: str) -> ZoneInfo:
    """The zone of this name, as in ``Europe/Berlin``. Raises ValueError with the nearest name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or one that is too long
        hint = nearest(name, available_timezones()) or "write one of the IANA names, as in Europe/Berlin"
        raise ValueError(f"there is no time zone {name[:70]!a}; {hint}") from None


def machine_zone(env: Mapping[str, str] = os.environ, localtime: Path = LOCALTIME) -> tzinfo:
    """The machine's zone now: what ``TZ`` names, else what /etc/localtime leads to; UTC where neither says."""
    name = env.get("TZ", "").removeprefix(":")
    if name:
        try:
            return known_zone(name)
        except ValueError:
            return UTC  # as the C library has it
    try:
        _, found, key = str(localtime.resolve(strict=True)).rpartition("/zoneinfo/")
        if found:
            return ZoneInfo(key.removeprefix("posix/").removeprefix("right/"))
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file, key=str(localtime))
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return UTC


def zone_name(zone: tzinfo) -> str:
    """As people and the record have it."""
    return getattr(zone, "key", None) or str(zone)
