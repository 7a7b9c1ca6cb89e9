"""Package updates that wait, and whether the host needs a reboot."""

import asyncio
import os
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.programs import CommandFailed
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.host.families import UPDATES, build
from exporter.host.reboot import reboot_required
from exporter.host.sample import Sample
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.host import Host
from exporter.packages.manager import PackageManager, Updates
from exporter.packages.registry import found

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 60.0
"""How often to look whether packages or lists changed, which costs nothing, so that an upgrade is noticed soon."""

_RETRY_SECONDS = 300.0
"""When one that failed is asked again, unless it would be sooner anyway: another program may have held its lock."""


def host_needs_reboot() -> bool | None:
    """Whether this host needs a reboot by what lies in its file system; None where that does not tell. Blocks."""
    return reboot_required(Path("/"), os.uname().release)


@dataclass(slots=True)
class _Asked:
    """A manager with its last answer."""

    manager: PackageManager
    stamp: Hashable = None
    at: float = float("-inf")
    """On the monotonic clock."""
    updates: Updates | None = None
    """None when it failed to answer."""
    refreshed: float | None = None
    failure: str = ""
    """Why; empty when it answered, or was not asked yet."""


class UpdatesCollector:
    """Asks each package manager when packages or lists changed, and every ``settings.interval`` seconds.

    The first collection only looks at files, so that nobody who waits for the exporter to be ready waits for a package
    manager; the second follows at once. A manager that fails or hangs has ``upkeeper_host_package_manager_up`` 0 and no
    figures until it answers again.

    managers: of this host. needs_reboot: as host_needs_reboot. monotonic: seconds on a clock that never jumps.
    """

    name = "updates"

    def __init__(
        self,
        limits: Host,
        settings: CollectorSettings,
        managers: Callable[[], Sequence[PackageManager]] = found,
        needs_reboot: Callable[[], bool | None] = host_needs_reboot,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval = min(settings.interval, _LOOK_SECONDS)
        self.deadline = settings.deadline
        self._ask_again = settings.interval
        self._limits = limits
        self._managers = managers
        self._needs_reboot = needs_reboot
        self._monotonic = monotonic
        self._threads = KeyedThreads()
        self._complaints = Complaints(
            log, "package manager does not answer", "package manager answers again", "manager"
        )
        self._looked = False
        self._asked: dict[str, _Asked] = {}

    async def collect(self) -> Sequence[Metric]:
        first, self._looked = not self._looked, True
        self.interval = min(self._ask_again, _LOOK_SECONDS)
        end = asyncio.get_running_loop().time() + self.deadline * 0.9
        try:
            async with asyncio.timeout_at(end):
                reboot, stamps = await self._threads.run("files", self._look)
        except (TimeoutError, StillStuck):
            raise TimeoutError("the file system with the package lists does not answer") from None
        if first:
            self.interval = 0.0
        else:
            await self._ask_those_due(stamps, end)
        known = [asked.updates.reboot_required for asked in self._asked.values() if asked.updates is not None]
        verdicts = {verdict for verdict in (reboot, *known) if verdict is not None}
        return build(
            UPDATES,
            [
                *(sample for asked in self._asked.values() for sample in _samples(asked)),
                *([Sample("reboot_required", any(verdicts))] if verdicts else ()),
                Sample("package_lists_max_age_seconds", self._limits.package_lists_max_age),
                Sample("security_updates_max_pending_seconds", self._limits.security_updates_max_pending),
                Sample("reboot_max_pending_seconds", self._limits.reboot_max_pending),
            ],
        )

    def _look(self) -> tuple[bool | None, dict[str, Hashable]]:
        """Whether files call for a reboot, and the stamp of each manager. Blocks."""
        managers = {manager.name: manager for manager in self._managers()}
        self._asked = {
            name: self._asked[name] if name in self._asked else _Asked(manager) for name, manager in managers.items()
        }
        for asked in self._asked.values():
            asked.refreshed = asked.manager.lists_refreshed()
        return self._needs_reboot(), {name: manager.stamp() for name, manager in managers.items()}

    async def _ask_those_due(self, stamps: Mapping[str, Hashable], end: float) -> None:
        now = self._monotonic()
        due = [
            asked
            for name, asked in self._asked.items()
            if asked.stamp != stamps[name] or now - asked.at >= self._patience_with(asked)
        ]
        await asyncio.gather(*(self._ask(asked, stamps[asked.manager.name], end) for asked in due))

    def _patience_with(self, asked: _Asked) -> float:
        """Seconds from one question to the next."""
        return min(self._ask_again, _RETRY_SECONDS) if asked.failure else self._ask_again

    async def _ask(self, asked: _Asked, stamp: Hashable, end: float) -> None:
        asked.stamp, asked.at = stamp, self._monotonic()
        failure = ""
        try:
            async with asyncio.timeout_at(end):
                asked.updates = await asked.manager.updates()
        except TimeoutError:
            failure = f"not finished within {self.deadline * 0.9:g} s; it was killed"
        except (CommandFailed, OSError) as error:
            failure = str(error)
        except Exception as error:
            failure = f"unexpected {type(error).__name__}, see the log"
            log.exception("package manager not understood", manager=asked.manager.name)
        if failure:
            asked.updates = None
        asked.failure = failure
        self._complaints.note(asked.manager.name, failure)


def _samples(asked: _Asked) -> Iterator[Sample]:
    labels = (asked.manager.name,)
    if asked.refreshed is not None:
        yield Sample("package_lists_refreshed_timestamp_seconds", asked.refreshed, labels)
    if asked.updates is not None or asked.failure:
        yield Sample("package_manager_up", asked.updates is not None, labels)
    if asked.updates is None:
        return
    counted = {
        "updates_pending": asked.updates.pending,
        "security_updates_pending": asked.updates.security,
        "updates_held_back": asked.updates.held_back,
        "updates_phased": asked.updates.phased,
    }
    for name, updates in counted.items():
        if updates is not None:
            yield Sample(name, len(updates), labels)
