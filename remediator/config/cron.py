"""Cron expressions in a time zone, with Debian cron's meaning on days of 23 and 25 hours. Pure.

A job at fixed times (neither minute nor hour begin with ``*``) runs once a night: what the clocks leave out runs at the
first minute after, what they show twice runs the first time. One with ``*`` there runs by elapsed time: `*/10 * * * *`
every ten minutes, whatever the clocks show. All times are Unix seconds.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from cronsim import CronSim, CronSimError

_FIELDS = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31, L for the last, LW for the last weekday"),
    ("month", "1-12 or JAN-DEC"),
    ("day of the week", "0-7 (0 and 7 are Sunday) or SUN-SAT, 5L for the last Friday, MON#1 for the first Monday"),
)
_LONGEST = 200
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
"""Where checks begin: of a leap year."""
_SECOND = timedelta(seconds=1)
_ENOUGH = (3600.0, 86400.0, 32 * 86400.0, 366 * 86400.0, 9 * 366 * 86400.0, 51 * 366 * 86400.0)
"""Seconds to look back for the last due time, one after the other."""
_STEP = timedelta(hours=6)
"""Two changes of a zone's offset are further apart than this."""
_WORDS = {"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
          "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *"}  # fmt: skip


class CronError(ValueError):
    """What is wrong with an expression, as a sentence with its remedy."""


@dataclass(frozen=True)
class Cron:
    """An expression in a zone. Made by parse_cron, which has checked it."""

    text: str
    zone: tzinfo
    _asked: list[tuple[float, float]] = field(default_factory=list, init=False, repr=False, compare=False)
    """What was asked of ``after`` last, and its answer: nothing is due between the two."""

    @property
    def fixed(self) -> bool:
        """Whether it means times of the day, rather than every so many minutes or hours."""
        minute, hour, *_ = self.text.split()
        return not minute.startswith("*") and not hour.startswith("*")

    def after(self, moment: float) -> float | None:
        """The first due time later than this; None when there is none in fifty years."""
        for asked, answer in self._asked:
            if asked <= moment < answer:
                return answer
        found = next(self.times(moment), None)
        if found is not None:
            self._asked[:] = [(moment, found)]
        return found

    def times(self, after: float) -> Iterator[float]:
        """The due times later than this, in order."""
        start = datetime.fromtimestamp(after, UTC)
        last = after
        for found in self._fixed(start) if self.fixed else self._elapsed(start):
            moment = found.timestamp()
            if moment > last:  # in the second of two hours that look alike, the library names what was in the first
                yield moment
                last = moment

    def between(self, after: float, until: float) -> Iterator[float]:
        """The due times later than the one and not later than the other."""
        for moment in self.times(after):
            if moment > until:
                return
            yield moment

    def last(self, until: float) -> float | None:
        """The last due time that is not later than this; None when there was none in fifty years."""
        for seconds in _ENOUGH:
            found = deque(self.between(until - seconds, until), maxlen=1)
            if found:
                return found[0]
        return None

    def _fixed(self, start: datetime) -> Iterator[datetime]:
        yield from CronSim(self.text, start.astimezone(self.zone))

    def _elapsed(self, start: datetime) -> Iterator[datetime]:
        """Stretch by stretch of one offset: across a change of half an hour, as on Lord Howe, the library loses times
        of the hour in which it falls.
        """
        offset = self._offset(start)
        while True:
            for found in CronSim(self.text, start.astimezone(timezone(offset))):
                change = self._change(start, found, offset)
                if change is not None:
                    start, offset = change - _SECOND, self._offset(change)
                    break
                yield found
                start = found
            else:
                return

    def _change(self, start: datetime, end: datetime, offset: timedelta) -> datetime | None:
        """When the zone's offset changes first, after the one and not after the other: to the second."""
        before = start
        while before < end:
            probe = min(before + _STEP, end)
            if self._offset(probe) != offset:
                return self._bisected(before, probe, offset)
            before = probe
        return None

    def _bisected(self, before: datetime, changed: datetime, offset: timedelta) -> datetime:
        low, high = int(before.timestamp()), int(changed.timestamp())
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(datetime.fromtimestamp(middle, UTC)) == offset:
                low = middle
            else:
                high = middle
        return datetime.fromtimestamp(high, UTC)

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()


def parse_cron(text: str, zone: tzinfo = UTC) -> Cron:
    """Five fields, or a word such as ``@daily``. Raises CronError, also for what never comes."""
    written = _WORDS.get(text.strip().lower(), text)
    _check_fields(written, text)
    fields = written.split()
    # Python reads digits of every script; cron has ten of them.
    try:
        if not written.isascii():
            raise CronSimError("only ASCII")
        CronSim(written, _EPOCH)
    except (CronSimError, ValueError, AssertionError):
        raise CronError(_blamed(fields)) from None
    cron = Cron(" ".join(fields), zone)
    if cron.after(_EPOCH.timestamp()) is None:
        raise CronError(f"{_shown(text)} never comes: no such day exists")
    return cron


def _check_fields(written: str, text: str) -> None:
    if written.strip().startswith("@"):
        raise CronError(f"{_shown(text)} is not known; write five fields, or one of {', '.join(_WORDS)}")
    count = len(written.split())
    if len(written) > _LONGEST:
        raise CronError(f"is longer than {_LONGEST} characters; a cron expression has five fields")
    if count == 6:
        raise CronError(
            f"{_shown(text)} has six fields, which programs read differently (seconds first, or last);"
            " write five: minute, hour, day, month, weekday"
        )
    if count != 5:
        raise CronError(f"{_shown(text)} must have five fields: minute, hour, day, month, weekday; as in '0 2 * * *'")


def _blamed(fields: list[str]) -> str:
    """Which field is wrong, and what it takes."""
    for index, (name, takes) in enumerate(_FIELDS):
        alone = ["*"] * 5
        alone[index] = fields[index]
        try:
            CronSim(" ".join(alone), _EPOCH)
        except (CronSimError, ValueError, AssertionError):
            if _is_day_that_no_month_has(fields, index):
                break
            return f"{_shown(fields[index])} is no {name}: it takes {takes}"
    return f"{_shown(' '.join(fields))} never comes: no month named has that day"


def _is_day_that_no_month_has(fields: list[str], index: int) -> bool:
    return index == 2 and fields[2].isascii() and fields[2].isdigit() and 1 <= int(fields[2]) <= 31


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 70 else f"{shown[:67]}..."
