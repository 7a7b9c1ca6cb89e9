"""Times of the week, as keys of the config have them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.section import Contradiction, Section, shown
from remediator.config.timezones import known_zone

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of datetime.date.weekday."""

_CLOCK = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]|24:00")


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"{shown(text)} must be a time of day, from 00:00 to 24:00, as in 20:00")
    return text.zfill(5)


def _zone(name: str) -> str:
    known_zone(name)
    return name


Clock = Annotated[str, AfterValidator(_clock), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$"})]
"""A time of day, as in ``06:00``; ``24:00`` is the end of the day."""
ZoneName = Annotated[
    str, AfterValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin", "UTC"]})
]


def minutes(clock: str) -> int:
    """Minutes after midnight of a Clock."""
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


class Window(Section):
    """A time of the week in which runs may begin. One that has begun goes on after its end."""

    days: list[Day] = Field(
        default=[*DAYS],
        min_length=1,
        description="days on which it begins: a night belongs to the day before it",
    )
    begins: Clock = Field(default="00:00", alias="from", description="when it begins, on the clocks of the time zone")
    ends: Clock = Field(
        default="24:00", alias="to", description="when it ends; not later than `from:` means on the next day"
    )
    timezone: ZoneName | None = Field(
        default=None, description="whose clocks, as in `Europe/Berlin`; default: the machine's"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if isinstance(given.get("from"), str) and given.get("from") == given.get("to"):
            yield Contradiction(("to",), "is the same as `from:`; leave both out for the whole day")

    @property
    def overnight(self) -> bool:
        """It ends on the day after the one on which it begins."""
        return minutes(self.ends) <= minutes(self.begins)


def said(windows: Sequence[Window]) -> str:
    """The windows, for people."""
    return " or ".join(_said(window) for window in windows)


def _said(window: Window) -> str:
    days = [day for day in DAYS if day in window.days]
    first, last = DAYS.index(days[0]), DAYS.index(days[-1])
    if len(days) == len(DAYS):
        which = "every day"
    elif len(days) > 2 and last - first == len(days) - 1:
        which = f"{days[0]}-{days[-1]}"
    else:
        which = ", ".join(days)
    zone = f" {window.timezone}" if window.timezone else ""
    return f"{which} {window.begins}-{window.ends}{zone}"
