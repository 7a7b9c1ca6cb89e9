"""Whether a service is well on its image, and stays so."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from exporter.inventory.services import Probe
from exporter.probing.result import ProbeResult
from remediator.tasks.image_update.alerts import Alerts
from remediator.tasks.image_update.services import Estate, Member
from remediator.tasks.service_restart.container_state import describe

Prober = Callable[[str, Probe], Awaitable[ProbeResult]]


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds. start: until it is well, at least; a health check's own time counts too. stay: how long it must be so
    after that. poll: between two looks. alerts: between two questions to Alertmanager. settle: for which one that
    nothing checks must have run before it counts as well.
    """

    start: float
    stay: float
    poll: float = 1.0
    alerts: float = 5.0
    settle: float = 10.0


@dataclass(frozen=True)
class Watched:
    """What is watched. names: of the service, in Compose and in the config. probes: each with its service's name.

    alerts_before: fingerprints of what fired before; None where alerts are not asked.
    """

    project: str
    service: str
    names: Collection[str]
    probes: Sequence[tuple[str, Probe]]
    alerts_before: Collection[str] | None


@dataclass(frozen=True, slots=True)
class Seen:
    """How it went. problem: empty where it is well. alerts: why they were not asked; empty where they were."""

    problem: str
    alerts: str = ""


class Watch:
    """clock: Unix seconds; ticks: monotonic ones. sleep and probe are passed in by tests."""

    def __init__(
        self,
        estate: Estate,
        alerts: Alerts,
        patience: Patience,
        probe: Prober,
        ticks: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._estate, self._alerts, self._patience, self._probe = estate, alerts, patience, probe
        self._ticks, self._sleep = ticks, sleep

    async def until_well(self, watched: Watched, on_well: Callable[[], Awaitable[object]]) -> Seen:
        """Waits until it is well, calls ``on_well``, and goes on looking for as long as it must stay so."""
        began = self._ticks()
        first: Member | None = None
        well_since: float | None = None
        started, start = began, ""
        asked, unasked = 0.0, ""
        while True:
            member = await self._one(watched)
            if member is None:
                return Seen("its container is gone")
            first = first or member
            state = member.state
            if state.started_at != first.state.started_at and well_since is not None:
                return Seen(f"it ended and was started again: {describe(state)}")
            problem = await self.not_well(member, watched)
            now = self._ticks()
            if state.started_at != start:
                started, start = now, state.started_at
            unchecked = state.health == "none" and not watched.probes
            if not problem and unchecked and now - started < min(self._patience.settle, self._patience.stay):
                await self._sleep(self._patience.poll)
                continue
            if problem and well_since is not None:
                return Seen(f"it was healthy, and is not any more: {problem}")
            patient = state.health_seconds if state.health == "starting" else 0.0
            if problem and now - began >= max(self._patience.start, patient):
                return Seen(f"it has not become healthy: {problem}")
            if problem and state.status in ("exited", "dead", "restarting") and state.restarts >= 3:
                return Seen(f"it does not start: {problem}")
            if problem and state.status in ("exited", "dead") and state.restart_policy in ("no", ""):
                return Seen(f"it has ended: {problem}")
            if not problem:
                if well_since is None:
                    well_since = now
                    await on_well()
                last = now - well_since >= self._patience.stay
                if watched.alerts_before is not None and (last or now - asked >= self._patience.alerts):
                    asked = now
                    firing = await self._alerts.firing(state.name, watched.project, watched.names)
                    unasked = firing if isinstance(firing, str) else ""
                    new = [] if isinstance(firing, str) else [
                        name for key, name in firing.items() if key not in watched.alerts_before
                    ]  # fmt: skip
                    if new:
                        return Seen(
                            f"it is healthy, and an alert of it fires that did not before: {', '.join(sorted(new))}"
                        )
                if last:
                    return Seen("", unasked)
            await self._sleep(self._patience.poll)

    async def not_well(self, member: Member, watched: Watched) -> str:
        """What is wrong with it now, in words; empty where nothing is."""
        state = member.state
        if not state.running or state.health in ("unhealthy", "starting"):
            return describe(state)
        results = await asyncio.gather(*(self._probe(name, probe) for name, probe in watched.probes))
        return "; ".join(f"probe {one.target}/{one.probe}: {one.detail}" for one in results if not one.success)

    async def _one(self, watched: Watched) -> Member | None:
        found = await self._estate.again(watched.project, watched.service)
        return found[0] if len(found) == 1 else None
