"""What clocks show, and when: windows of wall-clock times on days of 23, 24 and 25 hours. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from remediator.config.timezones import known_zone
from remediator.config.window import DAYS, Window, minutes

DAYS_AHEAD = 15
"""Days in which the next opening is looked for: two weeks, as a window of one night a week may be lost to a night of 23
hours.
"""


def opens_at(windows: Sequence[Window], now: float, machine: tzinfo) -> float | None:
    """When the first of the windows is open (Unix seconds): now, where one is; None where none opens within two weeks.

    machine: the zone of windows that name none.
    """
    openings = (opening for window in windows for opening in _openings(window, now, machine))
    return min((max(begins, now) for begins, ends in openings if ends > now), default=None)


def _openings(window: Window, now: float, machine: tzinfo) -> Iterator[tuple[float, float]]:
    """The window's times around now: from the first moment at which the clocks show its begin (or, where they leap over
    that, a later time) until that of its end. On the night when an hour comes twice, it is not opened a second time.
    """
    zone = known_zone(window.timezone) if window.timezone is not None else machine
    today = datetime.fromtimestamp(now, zone).date()
    for offset in range(-2, DAYS_AHEAD):
        day = today + timedelta(days=offset)
        if DAYS[day.weekday()] not in window.days:
            continue
        begins = moment(day, minutes(window.begins), zone)
        ends = moment(day + timedelta(days=1) if window.overnight else day, minutes(window.ends), zone)
        if begins < ends:
            yield begins, ends


@lru_cache(4096)
def moment(day: date, minutes: int, zone: tzinfo) -> float:
    """The first moment (Unix seconds) at which clocks show that many minutes after midnight of the day, or later."""
    shown = datetime.combine(day, time()) + timedelta(minutes=minutes)
    early, late = sorted(shown.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if early == late or _shown(early, zone) == shown:
        return early  # the first of two, where clocks are put back
    while late - early > 1:  # where they are put forward: the moment of that, which is in between
        middle = (early + late) // 2
        early, late = (middle, late) if _shown(middle, zone) < shown else (early, middle)
    return late


def _shown(at: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None)
