"""systemd: whether the system is well as a whole, and how many units have failed."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.base.families import Families
from exporter.base.programs import CommandFailed, run
from exporter.host.families import SYSTEMD, build
from exporter.host.sample import Sample
from exporter.inventory.collector import CollectorSettings

log = structlog.get_logger(__name__)

STATES = ("initializing", "starting", "running", "degraded", "maintenance", "stopping")
"""Of the system as a whole: systemctl(1), is-system-running."""

_BOOTED = Path("/run/systemd/system")
"""There exactly when systemd is PID 1: sd_booted(3)."""

_NAMED_AT_MOST = 20


def parse_manager(text: str) -> tuple[str, int]:
    """State of the system and number of failed units, from ``systemctl show`` of the manager. Pure.

    Raises CommandFailed when the text holds neither.
    """
    properties = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        return properties["SystemState"], int(properties["NFailedUnits"])
    except (KeyError, ValueError):
        raise CommandFailed("systemctl show: an unexpected answer") from None


def parse_units(text: str) -> list[str]:
    """Names of units, from ``systemctl list-units --plain --no-legend``. Pure."""
    return sorted(line.split()[0] for line in text.splitlines() if line.strip())


class SystemdCollector:
    """Asks systemctl. Where systemd is not PID 1, there is nothing to tell, and nothing is run.

    Which units have failed is logged when it changes; names of units are no labels, since timers and sockets make new
    ones for ever.

    Raises CommandFailed, TimeoutError and OSError.
    """

    name = "systemd"

    def __init__(self, settings: CollectorSettings, booted: Path = _BOOTED) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._booted = booted
        self._failed: Sequence[str] = ()

    async def collect(self) -> Sequence[Metric]:
        if not self._booted.exists():
            return families(None, 0)
        async with asyncio.timeout(self.deadline * 0.9):
            state, failed = parse_manager(await _systemctl("show", "--property=SystemState,NFailedUnits"))
            units = parse_units(await _systemctl(*_LIST)) if failed else []
        if units != self._failed:
            if units:
                log.warning("systemd units failed", units=units[:_NAMED_AT_MOST], count=len(units))
            else:
                log.info("no failed systemd units any more")
        self._failed = units
        return families(state, failed)


_LIST = ("list-units", "--all", "--state=failed", "--plain", "--no-legend", "--full")


async def _systemctl(*arguments: str) -> str:
    done = await run(["systemctl", "--no-pager", *arguments], polite=False)
    if done.status != 0:
        raise CommandFailed(f"systemctl {arguments[0]}: {done.complaint}")
    return done.output


def families(state: str | None, failed: int) -> Sequence[Metric]:
    """The families, without samples where the state is None: no systemd. Pure."""
    made = Families("upkeeper_host")
    made.states("systemd_state", "State of the system according to systemd.", STATES).add((), state)
    return [*made.all, *build(SYSTEMD, [] if state is None else [Sample("systemd_failed_units", failed)])]
