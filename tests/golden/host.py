"""The host's families, of a recorded machine."""

import tempfile
from collections.abc import Hashable, Sequence
from pathlib import Path

from prometheus_client.core import Metric

from exporter.collectors import systemd
from exporter.collectors.host import HostCollector
from exporter.collectors.updates import UpdatesCollector
from exporter.host.clock import KernelClock
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.host import Host, UpdatesSettings
from exporter.packages.apt import parse_simulation
from exporter.packages.brew import parse_outdated
from exporter.packages.dnf import parse_check_update, parse_needs_restarting
from exporter.packages.manager import Update, Updates
from tests.exporter.host.test_sensors import machine

RECORDED = Path(__file__).parents[1] / "exporter" / "recorded"


class _Recorded:
    """A package manager with a recorded answer."""

    def __init__(self, name: str, answer: Updates, refreshed: float) -> None:
        self.name = name
        self._answer = answer
        self._refreshed = refreshed

    async def updates(self) -> Updates:
        return self._answer

    def stamp(self) -> Hashable:
        return 0

    def lists_refreshed(self) -> float | None:
        return self._refreshed


def _read(name: str) -> str:
    return (RECORDED / name).read_text()


def _managers() -> Sequence[_Recorded]:
    apt = parse_simulation(_read("apt_ubuntu_24_04.txt"))
    fixes = {update.name for update in parse_check_update(_read("dnf4_check_update_security.txt"))}
    dnf = [Update(each.name, each.candidate, security=each.name in fixes)
           for each in parse_check_update(_read("dnf4_check_update.txt"))]  # fmt: skip
    pending, pinned = parse_outdated(_read("brew_outdated.json"))
    held_back, phased = ([Update(name, "") for name in names] for names in (apt.kept_back, apt.phased))
    reboot = parse_needs_restarting(_read("dnf4_needs_restarting.txt"))
    return [
        _Recorded("apt", Updates(apt.upgraded, held_back, phased), 1_795_520_000),
        _Recorded("dnf", Updates(dnf, reboot_required=reboot), 1_795_521_000),
        _Recorded("brew", Updates(pending, pinned, knows_security=False), 1_795_522_000),
    ]


async def families() -> Sequence[Metric]:
    """Of the collectors ``host``, ``updates`` and ``systemd``, each family with a sample."""
    clock = KernelClock(state=0, status=0x2001, offset=120_000, max_error=25_000)
    with tempfile.TemporaryDirectory() as directory:
        machine(Path(directory))
        host = await HostCollector(
            Host(), CollectorSettings(), RECORDED / "host" / "proc", Path(directory), lambda: clock, portable_only=False
        ).collect()
    updates = UpdatesCollector(Host(), UpdatesSettings(), _managers, lambda: None, lambda: 0.0)
    await updates.collect()
    return [*host, *await updates.collect(), *systemd.families("degraded", 2)]
