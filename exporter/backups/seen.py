"""What was there when a set was last made or deleted: by that, a missing mount and a clock that jumped are noticed."""

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.base.replace_file import replace_file
from exporter.base.text import format_time
from exporter.base.units import format_duration

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAMES = 20
_SLACK = 3600.0
"""Seconds by which clocks may differ from what was expected: summer time of a clock that runs in local time."""
_MAX_BYTES = 1024**2


class Moment(NamedTuple):
    """Now, on two clocks."""

    now: float
    """Unix seconds."""
    running: float
    """Seconds since the machine was started, also while it slept."""
    boot: str
    """Names this start of the machine."""


class Seen(BaseModel):
    """Of one series."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    now: float
    running: float
    boot: str
    newest: list[str]
    """Names of the newest sets that were to stay."""


def this_moment(clock: Callable[[], float]) -> Moment:
    """Blocks for a moment."""
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        boot = ""
    return Moment(clock(), time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)), boot)


def clock_problem(before: Seen | None, at: Moment) -> str:
    """Why the clock is not to be believed; empty if nothing speaks against it. Pure."""
    if before is None:
        return ""
    if at.now < before.now - _SLACK:
        return f"the clock went back: it was {format_time(before.now)} before, and is {format_time(at.now)} now"
    if before.boot and before.boot == at.boot:
        off = at.now - (before.now + at.running - before.running)
        if abs(off) > _SLACK:
            told = format_duration(round(abs(off)))
            return f"the clock jumped by {told} since {format_time(before.now)}"
    return ""


def missing_problem(before: Seen | None, names: Collection[str]) -> str:
    """Why the directory is not what it was; empty if it is. Pure."""
    if before is None or not before.newest or set(before.newest) & set(names):
        return ""
    if not names:
        return "there is no set any more, where there were some: is what should be mounted there missing?"
    return f"the sets that were the newest are gone, among them {before.newest[0]}: is another disk mounted there?"


def path_of(state_dir: Path, series: str) -> Path:
    """Where it is kept."""
    return state_dir / "backups" / f"{series}.retention.json"


def read(state_dir: Path, series: str) -> Seen | None:
    """What was seen last; None where that is not known. Blocks. Raises OSError."""
    try:
        with path_of(state_dir, series).open("rb") as file:
            return Seen.model_validate_json(file.read(_MAX_BYTES))
    except (FileNotFoundError, ValidationError):
        return None


def note(state_dir: Path, series: str, clock: Callable[[], float], newest: Sequence[str]) -> None:
    """Notes what is seen now, unless that looks wrong beside what was noted: that is for people to look at.

    Blocks. Raises OSError.
    """
    before, at = read(state_dir, series), this_moment(clock)
    if not clock_problem(before, at) and not missing_problem(before, newest):
        write(state_dir, series, at, newest)


def write(state_dir: Path, series: str, at: Moment, newest: Sequence[str]) -> None:
    """Notes what is seen now. Blocks. Raises OSError."""
    seen = Seen(now=at.now, running=at.running, boot=at.boot, newest=list(newest[:_NAMES]))
    path = path_of(state_dir, series)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, seen.model_dump_json().encode())
