"""What of the monitoring is this machine's: that something starts Upkeeper again, and that the clock is right."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from exporter.base.programs import CommandFailed, run
from exporter.host.clock import read_clock, samples
from remediator.monitoring.check import Check

SECONDS = 10.0
"""For each program that is asked."""
MAX_OFF = 1.0
"""Seconds that the clock may be off: alerts and silences carry times, and are compared across machines."""
_CRONTABS = ("/etc/crontab", "/etc/cron.d")
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


async def look() -> Sequence[Check]:
    """How Upkeeper is started, and the clock."""
    return [await started(), await asyncio.to_thread(clock)]


async def started() -> Check:
    """Whether a unit, a container or cron starts Upkeeper after a reboot."""
    if await asyncio.to_thread(_contained):
        return Check("host", "start", "ok", "runs in a container, which the engine starts again by its restart policy")
    units = await _units()
    if units:
        off = [name for name, state in units if state not in ("enabled", "enabled-runtime", "static", "generated")]
        if len(off) == len(units):
            remedy = f"systemctl enable {' '.join(off)}"
            return Check("host", "start", "wrong", f"{', '.join(off)}: there, and not enabled", remedy)
        return Check("host", "start", "ok", ", ".join(f"{name} {state}" for name, state in units))
    lines = [*await asyncio.to_thread(_system_cron), *await _own_cron()]
    if any("@reboot" in line for line in lines):
        return Check("host", "start", "ok", "cron starts it at each reboot")
    return Check(
        "host",
        "start",
        "missing",
        "no unit, container or line of cron starts Upkeeper after a reboot",
        "`upkeeper install --systemd`, or @reboot in a crontab",
    )


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
    return Check("host", "clock", "wrong", "nothing keeps the clock right", remedy)
