"""What of the monitoring is this machine's: that something starts Upkeeper again, and that the clock is right."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

from exporter.base.programs import CommandFailed, run
from exporter.host.clock import read_clock, samples
from remediator.monitoring.check import Check

SECONDS = 10.0
"""For each program that is asked."""
MAX_OFF = 1.0
"""Seconds that the clock may be off: alerts and silences carry times, and are compared across machines."""
_CRONTABS = ("/etc/crontab", "/etc/cron.d")
_CRON = frozenset({"cron", "crond", "anacron", "fcron", "busybox"})
_STARTED = frozenset({"enabled", "generated"})
_BY_OTHERS = frozenset({"static", "indirect", "alias"})
"""Units that start when another asks for them: templates, and those of a timer."""
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


async def look(policy: Callable[[], Awaitable[str | None]] | None = None) -> Sequence[Check]:
    """How Upkeeper is started, and the clock. policy: the restart policy of the container that this runs in."""
    return [await started(policy), await asyncio.to_thread(clock)]


async def started(policy: Callable[[], Awaitable[str | None]] | None = None) -> Check:
    """Whether a unit, a container or cron starts Upkeeper after a reboot."""
    if await asyncio.to_thread(_contained):
        return by_engine(await policy() if policy is not None else None)
    units = await _units()
    if units:
        return by_units(units)
    lines = [*await asyncio.to_thread(_system_cron), *await _own_cron()]
    if any(_starts(line) for line in lines):
        return by_cron(await asyncio.to_thread(_runs, _CRON))
    return Check(
        "host",
        "start",
        "missing",
        "no unit, container or line of cron starts Upkeeper after a reboot",
        "`upkeeper install --systemd`, or @reboot in a crontab",
    )


def by_engine(policy: str | None) -> Check:
    """policy: as the engine tells it; None where it could not be asked, or does not know this container."""
    if policy is None:
        what = "runs in a container whose restart policy could not be seen"
        return Check("host", "start", "unknown", what, "see `docker inspect`: it should be unless-stopped or always")
    if policy in ("always", "unless-stopped"):
        return Check("host", "start", "ok", f"runs in a container with the restart policy {policy}")
    what = f"runs in a container with the restart policy {policy}: after a reboot the engine does not start it"
    return Check("host", "start", "wrong", what, "give it `restart: unless-stopped`")


def by_units(units: Sequence[tuple[str, str]]) -> Check:
    """units: each with the state of its file. What is enabled until the next reboot only does not survive it."""
    said = ", ".join(f"{name} {state}" for name, state in units)
    off = [name for name, state in units if state not in _STARTED and state not in _BY_OTHERS]
    if off:
        return Check(
            "host", "start", "wrong", f"not all start at a reboot: {said}", f"systemctl enable {' '.join(off)}"
        )
    if any(state in _STARTED for _, state in units):
        return Check("host", "start", "ok", said)
    what = f"{said}: whether anything starts it at a reboot could not be seen"
    return Check("host", "start", "unknown", what, "see `systemctl list-dependencies --reverse`")


def by_cron(daemon: bool) -> Check:
    """daemon: whether one of cron runs."""
    if daemon:
        return Check("host", "start", "ok", "cron runs, and has a line that starts it at each reboot")
    what = "a crontab has a line that starts it at each reboot, and no cron runs"
    return Check("host", "start", "wrong", what, "systemctl enable --now cron")


def _starts(line: str) -> bool:
    return re.search(r"^\s*@reboot\s.*\bupkeeper\S*\s+(?:.*\s)?(?:up|remediator)(?:\s|$)", line) is not None


def _runs(names: Collection[str]) -> bool:
    """Whether a process of one of these names runs here. Blocks shortly."""
    for file in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if file.read_text().strip() in names:
                return True
    return False


def _contained() -> bool:
    return any(Path(mark).exists() for mark in _CONTAINER_MARKS)


async def _units() -> list[tuple[str, str]]:
    """The systemd units of Upkeeper's services that are there, with their state; none where there is no systemd."""
    lines = await _lines("systemctl", "list-unit-files", "--no-legend", "--no-pager", "--plain", "upkeeper*.service")
    return [(words[0], words[1]) for line in lines if len(words := line.split()) >= 2]


async def _own_cron() -> list[str]:
    return _about_us(await _lines("crontab", "-l"))


async def _lines(*command: str) -> list[str]:
    try:
        async with asyncio.timeout(SECONDS):
            done = await run(command, polite=False)
    except (TimeoutError, OSError, CommandFailed):
        return []  # it is not there, or says nothing of use: then it starts nothing either
    return done.output.splitlines() if done.status == 0 else []


def _system_cron() -> list[str]:
    found: list[str] = []
    for place in map(Path, _CRONTABS):
        for file in sorted(place.iterdir()) if place.is_dir() else [place]:
            try:
                found += _about_us(file.read_text(errors="replace").splitlines())
            except OSError:
                continue  # not there, or not for us to read
    return found


def _about_us(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if "upkeeper" in line and not line.lstrip().startswith("#")]


def clock() -> Check:
    """Whether the kernel's clock is kept right. Blocks shortly."""
    try:
        values = {sample.name: float(sample.value) for sample in samples(read_clock())}
    except OSError as error:
        return Check("host", "clock", "unknown", f"the kernel does not tell: {error.strerror or error}")
    if values["clock_synchronized"] and abs(values["clock_offset_seconds"]) <= MAX_OFF:
        return Check("host", "clock", "ok", f"kept right, to within {values['clock_max_error_seconds']:.3f} s")
    remedy = "install chrony or systemd-timesyncd; in a virtual machine or container the host keeps the clock"
    off = values["clock_offset_seconds"]
    what = f"it is {abs(off):.1f} s off" if values["clock_synchronized"] else "nothing keeps the clock right"
    return Check("host", "clock", "wrong", what, remedy)
